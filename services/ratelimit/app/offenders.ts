import type { Redis } from "ioredis";
import type { Logger } from "../../platform/runtime/logger.ts";
import { refusals, type Decision } from "../domain/decision.ts";
import { writeOffender } from "../domain/offender.ts";
import { createHeavyHitters } from "../domain/heavy-hitters.ts";
import { addRefusals } from "../store/offenders.ts";

const FLUSH_MS = 1_000;
const BOUND = 1_000;

/** Notes who is refused, and adds it to what all processes noted, once a second. */
export interface OffenderLog {
  note(decision: Decision): void;
  /** Ends the noting; what was noted last is added still. */
  close(): Promise<void>;
}

export function startOffenderLog(deps: {
  readonly logger: Logger;
  readonly redis: Redis | undefined;
  readonly domain: string;
  readonly now: () => Date;
}): OffenderLog {
  const { redis, domain, logger } = deps;
  const hitters = createHeavyHitters(BOUND);

  const flush = async () => {
    const counts = hitters.drain();
    // Without Redis nobody could ask either.
    if (counts.size === 0 || redis?.status !== "ready") return;
    try {
      await addRefusals(redis, domain, counts, deps.now());
    } catch (error) {
      logger.debug({ err: error }, "refusals were not noted");
    }
  };
  const timer = setInterval(() => void flush(), FLUSH_MS).unref();

  return {
    note(decision) {
      if (decision.allowed) return;
      for (const { check } of refusals(decision))
        hitters.add(writeOffender(check));
    },
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}
