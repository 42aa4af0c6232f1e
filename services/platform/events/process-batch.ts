import { type Batcher, createBatcher } from "../data/batcher.ts";
import type { Lane } from "../data/lane.ts";
import { type CloudEvent, fromRecord } from "./cloud-event.ts";
import {
  type Caused,
  inConsumerSpans,
  type ReadEvent,
} from "./consumer-span.ts";
import type { IncomingRecord } from "./event-bus.ts";
import type { BatchHandler } from "./event-handler.ts";
import {
  admitAll,
  type Admission,
  type Arrival,
  type WaitingKey,
} from "./inbox.ts";
import { findHandler, type ProcessRecordDeps } from "./process-record.ts";
import { orderingKey } from "./retry-topic.ts";

/** An event for a batch handler. */
type BatchEvent = ReadEvent & { readonly batch: BatchHandler };

/** What came of the records of one partition. */
export interface BatchOutcome {
  readonly handled: number;
  readonly duplicates: number;
}

type OneByOne = "one by one";

/** Joins the batches that partitions have at the same moment: a lone event of each makes a batch too. */
export type JoinedBatches = Batcher<
  readonly BatchEvent[],
  BatchOutcome | OneByOne
>;

/** Of a backlog each has `batchSize` records. */
const MAX_PARTITIONS = 16;

export function createJoinedBatches(deps: ProcessRecordDeps): JoinedBatches {
  return createBatcher<readonly BatchEvent[], BatchOutcome | OneByOne>({
    name: `consume ${deps.group}`,
    logger: deps.logger,
    maxBatch: MAX_PARTITIONS,
    together: (partitions) => handlePartitions(deps, partitions),
    alone: () => Promise.resolve("one by one"),
  });
}

/**
 * Gives records of one partition their effect together, once: in one transaction with all of their inbox rows, and with
 * what other partitions have at that moment. Idempotent handlers do without. "one by one", and nothing was done, where they
 * have to be taken so: a key of them waits in retry, a handler takes no batch, or something in the transaction failed.
 *
 * @throws what the database or an idempotent handler failed of; nothing was done then either.
 */
export async function processBatch(
  deps: ProcessRecordDeps & {
    readonly joined: JoinedBatches;
    readonly lane: Lane;
  },
  records: readonly IncomingRecord[],
): Promise<BatchOutcome | OneByOne> {
  const events = readAll(deps, records);
  if (events === undefined) return "one by one";
  if (!events.every(({ batch }) => batch.isIdempotent)) {
    return deps.joined.submit(events);
  }
  await deps.lane(() =>
    inConsumerSpans(deps.group, events, async (caused) => {
      for (const { batch, run } of runsOf(caused)) {
        if (batch.isIdempotent) await batch.handle(deps.db, run);
      }
      return "handled";
    }),
  );
  return { handled: events.length, duplicates: 0 };
}

/** The events that the group has something to do with; undefined where a handler of theirs takes no batch. */
function readAll(
  deps: ProcessRecordDeps,
  records: readonly IncomingRecord[],
): BatchEvent[] | undefined {
  const events: BatchEvent[] = [];
  for (const record of records) {
    const event = fromRecord(record);
    const handler = findHandler(deps, event.type);
    if (handler === undefined) continue;
    if (handler.batch === undefined) return undefined;
    if (handler.accepts?.(event) === false) continue;
    events.push({ record, event, batch: handler.batch });
  }
  return events;
}

/** Undefined for the partitions that have to be taken record by record. */
async function handlePartitions(
  deps: ProcessRecordDeps,
  partitions: readonly (readonly BatchEvent[])[],
): Promise<(BatchOutcome | undefined)[]> {
  const all = partitions.flatMap((events, partition) =>
    events.map((each) => ({ ...each, partition })),
  );
  let admission: Admission = { admitted: new Set(), waiting: [] };
  await inConsumerSpans(deps.group, all, async (caused) => {
    admission = await deps.db.transaction(async (tx) => {
      const admits = await admitAll(tx, deps.group, all.map(arrivalOf));
      for (const each of runsOf(newOnes(caused, admits.admitted))) {
        await each.batch.handle(tx, each.run);
      }
      return admits;
    });
    return "handled";
  });
  const { admitted, waiting } = admission;
  const handled = newOnes(all, admitted);
  return partitions.map((events, partition) => {
    if (events.some((each) => isOneOf(waiting, each))) return undefined;
    const own = handled.filter((each) => each.partition === partition);
    const duplicates = events.length - own.length;
    return { handled: own.length, duplicates };
  });
}

function arrivalOf({
  record,
  event,
  partition,
}: ReadEvent & { readonly partition: number }): Arrival {
  const key = orderingKey(record);
  return { eventId: event.id, topic: record.topic, key, batch: partition };
}

/** A batch may hold the same event twice: the first one counts. */
function newOnes<Event extends ReadEvent>(
  events: readonly Event[],
  admitted: ReadonlySet<string>,
): Event[] {
  const left = new Set(admitted);
  return events.filter(({ event }) => left.delete(event.id));
}

function isOneOf(
  waiting: readonly WaitingKey[],
  { record }: ReadEvent,
): boolean {
  return waiting.some(
    ({ topic, key }) => topic === record.topic && key === orderingKey(record),
  );
}

/** The events that follow each other and have one handler go together, so that the order holds. */
function runsOf(
  events: readonly Caused<BatchEvent>[],
): { batch: BatchHandler; run: Caused<CloudEvent>[] }[] {
  const runs: { batch: BatchHandler; run: Caused<CloudEvent>[] }[] = [];
  for (const { batch, event, cause } of events) {
    const last = runs.at(-1);
    const caused = { ...event, cause };
    if (last?.batch === batch) last.run.push(caused);
    else runs.push({ batch, run: [caused] });
  }
  return runs;
}
