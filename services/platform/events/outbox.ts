import { crc32 } from "node:zlib";
import { context, propagation } from "@opentelemetry/api";
import type { Executor } from "../data/executor.ts";
import type { Transaction } from "../data/transaction.ts";
import { DomainError } from "../runtime/errors.ts";
import type { NewEvent } from "./cloud-event.ts";

/** Slots that the keys of all aggregates are spread over; a relay owns a range of them. Changing it reorders events under way. */
export const SLOTS = 64;

/** Kafka refuses a record over 1 MB by default; refused here, it cannot stop the relay later. */
const MAX_EVENT_BYTES = 900_000;

export interface Outbox {
  /**
   * Announces `event` if, and only if, the transaction commits. Events of one
   * aggregate keep the order of their adds, so add after the aggregate's row is
   * written or locked: two transactions that share a key but no lock have no order.
   *
   * @throws DomainError `invalid_argument`: NO_PARTITION_KEY, EVENT_TOO_LARGE.
   */
  add(tx: Transaction, event: NewEvent): Promise<void>;
}

/** The outbox of a service. `wake` is the relay's, so that a commit is published without waiting for its poll. */
export function createOutbox(relay: { wake(): void }): Outbox {
  return {
    async add(tx, event) {
      await insertEvent(tx, event);
      tx.onCommit(() => relay.wake());
    },
  };
}

async function insertEvent(tx: Executor, event: NewEvent): Promise<void> {
  refuseUnpublishable(event);
  const trace: Record<string, string> = {};
  propagation.inject(context.active(), trace);
  await tx.query(
    `insert into outbox (
       id, slot, type, aggregate_id, tenant, sequence, occurred_at, payload,
       traceparent, tracestate
     )
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      event.id,
      slotOf(event.subject),
      event.type,
      event.subject,
      event.tenant,
      event.sequence ?? null,
      event.time,
      event.data,
      trace["traceparent"] ?? null,
      trace["tracestate"] ?? null,
    ],
  );
}

function slotOf(key: string): number {
  return crc32(key) % SLOTS;
}

function refuseUnpublishable(event: NewEvent): void {
  if (event.subject === "") {
    throw new DomainError({
      code: "invalid_argument",
      reason: "NO_PARTITION_KEY",
      message: `No partition key found for an event ${event.type}`,
    });
  }
  if (event.data.byteLength > MAX_EVENT_BYTES) {
    throw new DomainError({
      code: "invalid_argument",
      reason: "EVENT_TOO_LARGE",
      message: `an event ${event.type} has ${event.data.byteLength} bytes, more than ${MAX_EVENT_BYTES}`,
    });
  }
}
