import type { Transaction } from "../../platform/data/transaction.ts";
import type { InventoryEvent } from "../domain/inventory-event.ts";

/**
 * Writes down an event in the transaction of the change that it tells of, for publication after the commit. Call it when
 * the changed row is locked: that gives the events of one order, or one product, their order.
 */
export type Announce = (
  tx: Transaction,
  event: InventoryEvent,
) => Promise<void>;
