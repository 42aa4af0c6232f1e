import { once } from "node:events";
import { performance } from "node:perf_hooks";
import type { Redis } from "ioredis";
import type { Logger } from "../../platform/runtime/logger.ts";
import { createCounters, RedisAwayError, type Counters } from "./counters.ts";
import { openForgetChannel, type ForgetChannel } from "./forget-channel.ts";
import { createLeases, type Leases } from "./leases.ts";
import { watchRedis } from "./redis-presence.ts";
import { connectRedis } from "./redis.ts";
import { createUncountedLog } from "./uncounted-log.ts";

/** All that is kept in Redis. */
export interface CounterStore {
  readonly counters: Counters;
  readonly leases: Leases;
  /** Undefined where there is none to be had. */
  readonly redis: Redis | undefined;
  readonly openForgetChannel: (
    domain: string,
    forget: (key: string) => void,
  ) => ForgetChannel;
  /** Resolves when Redis is there, and after `patienceMs` at the latest. */
  readonly connected: (patienceMs: number) => Promise<void>;
  readonly close: () => void;
}

/** Opens the store; without a URL it is one whose Redis is always away. */
export function openCounterStore(deps: {
  readonly logger: Logger;
  readonly url: string | undefined;
  readonly timeoutMs: number;
}): CounterStore {
  const { logger, url, timeoutMs } = deps;
  if (url === undefined) {
    logger.warn({}, "there is no Redis: every rule answers as if it were away");
    return withoutRedis();
  }
  const redis = connectRedis({ logger, url });
  const presence = watchRedis(redis);
  const log = createUncountedLog({ logger, nowMs: () => performance.now() });
  const counters = createCounters({ redis, presence, log, timeoutMs });
  const leases = createLeases({ counters, presence, logger });
  return {
    redis,
    counters,
    leases,
    openForgetChannel: (domain, forget) =>
      openForgetChannel({ redis, logger }, domain, forget),
    async connected(patienceMs) {
      if (redis.status === "ready") return;
      const signal = AbortSignal.timeout(patienceMs);
      // Past that, Redis is away, which is no fault of a start.
      await once(redis, "ready", { signal }).catch(() => undefined);
    },
    close() {
      leases.close();
      presence.close();
      redis.disconnect();
    },
  };
}

function withoutRedis(): CounterStore {
  return {
    redis: undefined,
    counters: {
      decide: () => Promise.reject(new RedisAwayError("there is no Redis")),
    },
    leases: { giveBack: async () => undefined, close: () => undefined },
    openForgetChannel: () => ({
      forgetEverywhere: async () => undefined,
      close: () => undefined,
    }),
    connected: async () => undefined,
    close: () => undefined,
  };
}
