import type { Redis } from "ioredis";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { RedisPresence } from "./redis-presence.ts";

/** Leases that wait for Redis. Past that the oldest is dropped, and holds its place until it runs out. */
const MOST_KEPT = 10_000;
// A few hundred take Redis less than a millisecond: decisions do not wait for them.
const SENT_AT_ONCE = 500;
const SEND_EVERY_MS = 100;
/** Where Redis is here and refuses to take one back. */
const AGAIN_AFTER_FAILURE_MS = 5_000;

export interface HeldLease {
  readonly key: string;
  readonly lease: string;
}

export interface Leases {
  giveBack(held: readonly HeldLease[]): Promise<void>;
  close(): void;
}

/** The leases that `decide.lua` hands out. What can't be given back now is kept until Redis is here. */
export function createLeases(deps: {
  readonly redis: Pick<Redis, "zrem">;
  readonly presence: Pick<RedisPresence, "isHere">;
  readonly logger: Logger;
}): Leases {
  const { redis, presence, logger } = deps;
  let kept: HeldLease[] = [];
  let timer: NodeJS.Timeout | undefined;
  let sending = false;
  let toldDropped = false;
  let closed = false;

  const keep = (held: readonly HeldLease[]) => {
    kept.push(...held);
    const dropped = kept.splice(0, Math.max(0, kept.length - MOST_KEPT));
    if (dropped.length > 0 && !toldDropped) {
      toldDropped = true;
      logger.warn({ kept: MOST_KEPT }, "leases are dropped, and will run out");
    }
    if (!sending) sendIn(SEND_EVERY_MS);
  };

  const sendIn = (ms: number) => {
    if (!closed && kept.length > 0)
      timer ??= setTimeout(() => void sendKept(), ms);
  };

  const sendKept = async () => {
    timer = undefined;
    if (!presence.isHere()) return sendIn(SEND_EVERY_MS);
    sending = true;
    const { failed, cause } = await remove(redis, kept.splice(0, SENT_AT_ONCE));
    sending = false;
    if (failed.length > 0) {
      logger.warn({ err: cause }, "leases are not given back yet");
      kept = [...failed, ...kept].slice(-MOST_KEPT);
      return sendIn(AGAIN_AFTER_FAILURE_MS);
    }
    if (kept.length === 0) toldDropped = false;
    sendIn(SEND_EVERY_MS);
  };

  return {
    async giveBack(held) {
      if (held.length === 0) return;
      if (!presence.isHere()) return keep(held);
      const { failed } = await remove(redis, held);
      if (failed.length > 0) keep(failed);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

async function remove(
  redis: Pick<Redis, "zrem">,
  held: readonly HeldLease[],
): Promise<{ failed: HeldLease[]; cause: unknown }> {
  const failed: HeldLease[] = [];
  let cause: unknown;
  await Promise.all(
    held.map(async (one) => {
      try {
        await redis.zrem(one.key, one.lease);
      } catch (error) {
        failed.push(one);
        cause = error;
      }
    }),
  );
  return { failed, cause };
}
