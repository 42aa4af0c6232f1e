import { sleep } from "../data/backoff.ts";
import type { Database } from "../data/database.ts";
import type { Logger } from "../runtime/logger.ts";
import type { ConsumerMetrics } from "./consumer-metrics.ts";
import type { EventBus } from "./event-bus.ts";
import { forwardWaiting } from "./forward-waiting.ts";
import {
  listForgotten,
  measureParking,
  unmarkForwarded,
} from "./parked-events.ts";

export interface KeepParkedDeps {
  readonly db: Database;
  readonly bus: Pick<EventBus, "produce">;
  readonly logger: Logger;
  readonly metrics: ConsumerMetrics;
  readonly group: string;
  /** How often to look. */
  readonly everyMs: number;
}

/** Far longer than the moment between storing and sending, so that it rarely sends what is being sent. */
const UNSENT_MS = 5_000;
/** Far longer than a retry topic takes to be read. */
const OVERDUE_MS = 120_000;

/**
 * Sends again what a process that died left unsent, and what a retry topic
 * lost: the parked copy is the truth, the retry topic only tells when. Several
 * processes may do so at once.
 */
export async function keepParked(
  deps: KeepParkedDeps,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    const pauseMs = deps.everyMs * (0.5 + Math.random());
    await sleep(pauseMs, stop).catch(() => undefined);
    if (stop.aborted) return;
    try {
      deps.metrics.parking(await measureParking(deps.db, deps.group));
      await sendForgotten(deps, stop);
    } catch (error) {
      deps.logger.warn(
        { err: error, group: deps.group },
        "parked events not looked after, tries again later",
      );
    }
  }
}

async function sendForgotten(
  deps: KeepParkedDeps,
  stop: AbortSignal,
): Promise<void> {
  const after = { unsentMs: UNSENT_MS, overdueMs: OVERDUE_MS };
  for (const ref of await listForgotten(deps.db, deps.group, after, 100)) {
    if (stop.aborted) return;
    await unmarkForwarded(deps.db, ref);
    await forwardWaiting(deps, ref);
    deps.logger.info(ref, "a forgotten event is sent to retry again");
  }
}
