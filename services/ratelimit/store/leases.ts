import type { Logger } from "../../platform/runtime/logger.ts";
import { RedisAwayError, type Counters } from "./counters.ts";
import { takenBack } from "./decision-script.ts";
import type { RedisPresence } from "./redis-presence.ts";

/** Leases that wait for Redis. Past that the oldest is dropped, and holds its place until it runs out. */
const MOST_KEPT = 10_000;
// A script of so many takes Redis half a millisecond: decisions hardly wait for it, and its answer is not late.
const SENT_AT_ONCE = 100;
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

/**
 * The leases that `decide.lua` hands out. They go back the way the questions go, in one line with them: an end that went by
 * itself overtook its stream's own question, which then held a place for nobody. What can't be given back now is kept until
 * Redis is here.
 */
export function createLeases(deps: {
  readonly counters: Counters;
  readonly presence: Pick<RedisPresence, "isHere">;
  readonly logger: Logger;
}): Leases {
  const { counters, presence, logger } = deps;
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
    const sent = kept.splice(0, SENT_AT_ONCE);
    sending = true;
    const failure = await takeBack(counters, sent);
    sending = false;
    if (failure !== undefined) {
      logger.warn({ err: failure }, "leases are not given back yet");
      kept = [...sent, ...kept].slice(-MOST_KEPT);
      return sendIn(AGAIN_AFTER_FAILURE_MS);
    }
    if (kept.length === 0) toldDropped = false;
    sendIn(SEND_EVERY_MS);
  };

  return {
    async giveBack(held) {
      if (held.length === 0) return;
      if ((await takeBack(counters, held)) !== undefined) keep(held);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Returns why Redis did not. */
async function takeBack(
  counters: Counters,
  held: readonly HeldLease[],
): Promise<RedisAwayError | undefined> {
  try {
    await counters.decide(held.map(({ key, lease }) => takenBack(key, lease)));
    return undefined;
  } catch (error) {
    if (error instanceof RedisAwayError) return error;
    throw error;
  }
}
