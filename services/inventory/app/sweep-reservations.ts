import { fullJitter, sleep } from "../../platform/data/backoff.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  expireReservations,
  type ExpireReservationsDeps,
} from "./expire-reservations.ts";

export interface SweepReservationsDeps extends ExpireReservationsDeps {
  readonly logger: Logger;
  /** How long a reservation may outlive its end, about, in milliseconds. */
  readonly intervalMs: number;
}

/** Small, because a batch's products are locked from its last statement to its commit. */
const BATCH = 50;
const MAX_BACKOFF_MS = 30_000;

/** Gives back reservations that ran out, until `stop` aborts. A failure is logged and tried again after a growing wait. */
export async function sweepReservations(
  deps: SweepReservationsDeps,
  stop: AbortSignal,
): Promise<void> {
  for (let failures = 0; !stop.aborted;) {
    try {
      const expired = await expireReservations(deps, BATCH, stop);
      failures = 0;
      if (expired > 0) deps.logger.info({ expired }, "reservations expired");
      if (expired === BATCH) continue;
    } catch (error) {
      if (stop.aborted) return;
      failures += 1;
      deps.logger.warn({ err: error, failures }, "expiry failed, tries again");
    }
    await sleep(pause(deps.intervalMs, failures), stop).catch(() => undefined);
  }
}

/** Half to one and a half intervals, so that instances that started together do not sweep together. */
function pause(intervalMs: number, failures: number): number {
  const backoff =
    failures === 0 ? 0 : fullJitter(failures, intervalMs, MAX_BACKOFF_MS);
  return intervalMs * (0.5 + Math.random()) + backoff;
}
