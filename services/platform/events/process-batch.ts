import type { Executor } from "../data/executor.ts";
import { fromRecord } from "./cloud-event.ts";
import { inConsumerSpans, type ReadEvent } from "./consumer-span.ts";
import type { IncomingRecord } from "./event-bus.ts";
import type { BatchHandler } from "./event-handler.ts";
import { admitAll } from "./inbox.ts";
import { findHandler, type ProcessRecordDeps } from "./process-record.ts";
import { orderingKey } from "./retry-topic.ts";

/**
 * Gives records of one partition their effect together, once: one transaction
 * with all of their inbox rows, which idempotent handlers do without. False, and nothing was done, where they have to
 * be taken one by one: a key of them waits in retry, or one of their handlers takes no batch.
 *
 * @throws what made one of them fail; nothing was done then either.
 */
export async function processBatch(
  deps: ProcessRecordDeps,
  records: readonly IncomingRecord[],
): Promise<boolean> {
  const handled: (ReadEvent & { batch: BatchHandler })[] = [];
  for (const record of records) {
    const event = fromRecord(record);
    const handler = findHandler(deps, event.type);
    if (handler === undefined) continue;
    if (handler.batch === undefined) return false;
    handled.push({ record, event, batch: handler.batch });
  }
  const [first] = handled;
  if (first === undefined) return true;
  if (handled.every(({ batch }) => batch.isIdempotent)) {
    await inConsumerSpans(deps.group, handled, async () => {
      await handleRuns(deps.db, handled);
      return "handled";
    });
    return true;
  }
  const outcome = await inConsumerSpans(deps.group, handled, () =>
    deps.db.transaction(async (tx) => {
      const { admitted, waiting } = await admitAll(
        tx,
        deps.group,
        first.record.topic,
        handled.map(({ record, event }) => ({
          eventId: event.id,
          key: orderingKey(record),
        })),
      );
      if (waiting.size > 0) return "one by one";
      await handleRuns(tx, newOnes(handled, admitted));
      return "handled";
    }),
  );
  return outcome === "handled";
}

/** A batch may hold the same event twice: the first one counts. */
function newOnes<Event extends ReadEvent>(
  events: readonly Event[],
  admitted: ReadonlySet<string>,
): Event[] {
  const left = new Set(admitted);
  return events.filter(({ event }) => left.delete(event.id));
}

/** Calls each handler with the events that follow each other and are its own, so that the order holds. */
async function handleRuns(
  tx: Executor,
  events: readonly (ReadEvent & { batch: BatchHandler })[],
): Promise<void> {
  for (let start = 0; start < events.length;) {
    const batch = events[start]?.batch;
    let end = start;
    while (events[end]?.batch === batch && end < events.length) end += 1;
    const run = events.slice(start, end).map(({ event }) => event);
    await batch?.handle(tx, run);
    start = end;
  }
}
