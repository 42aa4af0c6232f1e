import type { Database } from "../data/database.ts";
import type { Transaction } from "../data/transaction.ts";
import type { Logger } from "../runtime/logger.ts";
import { DomainError } from "../runtime/errors.ts";
import { type CloudEvent, fromRecord } from "./cloud-event.ts";
import { inConsumerSpans, type ReadEvent } from "./consumer-span.ts";
import type { IncomingRecord } from "./event-bus.ts";
import type { EventHandler } from "./event-handler.ts";
import { admitAll } from "./inbox.ts";
import { parkEvent } from "./parked-events.ts";
import { orderingKey } from "./retry-topic.ts";

export interface ProcessRecordDeps {
  readonly db: Database;
  readonly logger: Logger;
  readonly group: string;
  readonly byType: ReadonlyMap<string, EventHandler>;
  /** Types that the group knows of, with or without a handler. */
  readonly known: ReadonlySet<string>;
  /** Events that one key may park; more hold its partition. */
  readonly maxParkedPerKey: number;
}

export type Outcome =
  | "handled"
  | "duplicate"
  | "skipped"
  /** An earlier event of its key waits in retry: it is stored behind it. */
  | "parked"
  /** It waits in retry itself, and was delivered again. */
  | "waiting"
  /** Its key has parked as many events as it may. */
  | "full";

/**
 * Gives one event its effect, once: the handler's work and the inbox row are
 * one transaction. Runs in a consumer span that continues the trace of the
 * producer's.
 *
 * @throws DomainError `invalid_argument` for a record that is no event or of an unknown type, or what the handler threw.
 */
export async function processRecord(
  deps: ProcessRecordDeps,
  record: IncomingRecord,
): Promise<Outcome> {
  const event = fromRecord(record);
  const handler = findHandler(deps, event.type);
  if (handler === undefined) {
    deps.logger.debug(
      { group: deps.group, type: event.type, eventId: event.id },
      "event of another type skipped",
    );
    return "skipped";
  }
  if (handler.accepts?.(event) === false) return "skipped";
  return inConsumerSpans(deps.group, [{ record, event }], () =>
    deps.db.transaction((tx) => handleOrPark(deps, tx, handler, record, event)),
  );
}

/**
 * Whether the group has nothing to do with the event: its type has no handler, or its handler turns it down.
 *
 * @throws DomainError UNKNOWN_EVENT_TYPE, or what reading the event's message throws.
 */
export function isOfNoConcern(
  deps: Pick<ProcessRecordDeps, "byType" | "known" | "group">,
  event: CloudEvent,
): boolean {
  const handler = findHandler(deps, event.type);
  return handler === undefined || handler.accepts?.(event) === false;
}

/** @throws DomainError UNKNOWN_EVENT_TYPE for a type that the group's contracts do not name. */
export function findHandler(
  deps: Pick<ProcessRecordDeps, "byType" | "known" | "group">,
  type: string,
): EventHandler | undefined {
  const handler = deps.byType.get(type);
  if (handler === undefined && !deps.known.has(type)) {
    throw new DomainError({
      code: "invalid_argument",
      reason: "UNKNOWN_EVENT_TYPE",
      message: `the group ${deps.group} knows no event ${type.slice(0, 200)}`,
    });
  }
  return handler;
}

async function handleOrPark(
  deps: ProcessRecordDeps,
  tx: Transaction,
  handler: EventHandler,
  record: IncomingRecord,
  event: ReadEvent["event"],
): Promise<Outcome> {
  const { group } = deps;
  if (handler.batch?.isIdempotent) {
    await handler.handle(tx, event);
    return "handled";
  }
  const key = orderingKey(record);
  const { admitted, waiting } = await admitAll(tx, group, [
    { eventId: event.id, topic: record.topic, key, batch: 0 },
  ]);
  const waitsFor = waiting[0]?.eventId;
  if (waitsFor === event.id) return "waiting";
  if (waitsFor !== undefined) {
    const ref = { group, topic: record.topic, key };
    const limit = deps.maxParkedPerKey;
    const parked = await parkEvent(tx, ref, event.id, record, limit);
    return parked ? "parked" : "full";
  }
  if (!admitted.has(event.id)) return "duplicate";
  await handler.handle(tx, event);
  return "handled";
}
