import { fullJitter, sleep } from "../data/backoff.ts";
import {
  listUnpublished,
  markPublished,
  measureBacklog,
  type QueuedEvent,
} from "./outbox-queue.ts";
import { endSpans, toTracedRecord } from "./publish-span.ts";
import type { RelayDeps } from "./relay.ts";
import type { Lease } from "./relay-lease.ts";
import type { WakeUp } from "./wake-up.ts";

const MEASURE_EVERY_MS = 5_000;

/** Publishes batch after batch, oldest first, until the signal aborts; a batch under way is finished. */
export async function drainOutbox(
  deps: RelayDeps,
  lease: Lease,
  bell: WakeUp,
  until: AbortSignal,
): Promise<void> {
  let pollMs = deps.minPollMs;
  let measuredAt = Number.NEGATIVE_INFINITY;
  while (!until.aborted) {
    if (performance.now() - measuredAt >= MEASURE_EVERY_MS) {
      deps.metrics.observe(lease, await measureBacklog(deps.db, lease));
      measuredAt = performance.now();
    }
    const events = await listUnpublished(deps.db, lease, deps.batchSize);
    if (events.length > 0) {
      await publishBatch(deps, lease, events, until);
      pollMs = deps.minPollMs;
    }
    if (events.length === deps.batchSize) continue;

    const rung = await bell.wait(pollMs, until);
    // A round costs as much for one event as for fifty. A lone one waits no longer than a round takes.
    if (rung && events.length > 0) {
      await sleep(deps.lingerMs, until).catch(() => undefined);
    }
    pollMs = rung ? deps.minPollMs : Math.min(pollMs * 2, deps.maxPollMs);
  }
}

async function publishBatch(
  deps: RelayDeps,
  lease: Lease,
  events: readonly QueuedEvent[],
  until: AbortSignal,
): Promise<void> {
  const traced = events.map((event) => toTracedRecord(event, deps.source));
  try {
    await produceUntilDone(
      deps,
      traced.map(({ record }) => record),
      until,
    );
    endSpans(traced);
  } catch (error) {
    endSpans(traced, error);
    throw error;
  }
  const marked = await markPublished(
    deps.db,
    lease,
    events.map(({ id }) => id),
  );
  deps.metrics.published(marked);
  if (marked === 0) throw new Error("the outbox has a newer owner");
}

/** Tries the same records again until the bus has them all; gives up only with the lease. */
async function produceUntilDone(
  deps: RelayDeps,
  records: Parameters<RelayDeps["bus"]["produce"]>[0],
  until: AbortSignal,
): Promise<void> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await deps.bus.produce(records);
    } catch (error) {
      deps.metrics.failed();
      deps.logger.warn(
        { err: error, records: records.length, failures },
        "events not published, tries again",
      );
      await sleep(fullJitter(failures, 50, 5_000), until);
    }
  }
}
