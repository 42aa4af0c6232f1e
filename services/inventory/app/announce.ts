import type { Context } from "@opentelemetry/api";
import type { Transaction } from "../../platform/data/transaction.ts";
import type { OutboxRow } from "../../platform/events/outbox-rows.ts";
import type { InventoryEvent } from "../domain/inventory-event.ts";

/**
 * Writes down an event in the transaction of the change that it tells of, for publication after the commit. Call it when
 * the changed row is locked: that gives the events of one order, or one product, their order.
 */
export type Announce = (
  tx: Transaction,
  event: InventoryEvent,
) => Promise<void>;

/** How a batch announces: its statement writes the rows, and `wake` tells that it is committed. */
export interface AnnounceTogether {
  /** The event's row. It continues the trace of `cause`. */
  row(event: InventoryEvent, cause: Context): OutboxRow;
  wake(): void;
}
