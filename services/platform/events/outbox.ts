import type { Context } from "@opentelemetry/api";
import { recordSet } from "../data/record-set.ts";
import type { Transaction } from "../data/transaction.ts";
import type { NewEvent } from "./cloud-event.ts";
import {
  outboxColumns,
  outboxRecord,
  outboxRow,
  type OutboxRow,
} from "./outbox-rows.ts";

export interface Outbox {
  /**
   * Announces `event` if, and only if, the transaction commits. Events of one
   * aggregate keep the order of their adds, so add after the aggregate's row is
   * written or locked: two transactions that share a key but no lock have no order.
   *
   * @throws DomainError `invalid_argument`: NO_PARTITION_KEY, EVENT_TOO_LARGE.
   */
  add(tx: Transaction, event: NewEvent): Promise<void>;
  /**
   * The event as a row for a statement that writes it together with the change, for batches; `cause` is the trace that
   * it continues, by default the one at hand. Call `wake` once the statement is committed.
   *
   * @throws DomainError as `add`.
   */
  row(event: NewEvent, cause?: Context): OutboxRow;
  /** Has the relay look at once. */
  wake(): void;
}

/** The outbox of a service. `wake` is the relay's, so that a commit is published without waiting for its poll. */
export function createOutbox(relay: { wake(): void }): Outbox {
  return {
    async add(tx, event) {
      await tx.query(
        `insert into outbox (${outboxColumns})
         select ${outboxColumns}
         from json_to_recordset($1) as event (${outboxRecord})`,
        [recordSet([outboxRow(event)])],
      );
      tx.onCommit(() => relay.wake());
    },
    row: outboxRow,
    wake: () => relay.wake(),
  };
}
