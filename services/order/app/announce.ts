import type { Context } from "@opentelemetry/api";
import type { Transaction } from "../../platform/data/transaction.ts";
import type { OutboxRow } from "../../platform/events/outbox-rows.ts";
import type { OrderEvent } from "../domain/order-event.ts";

/** Writes down an event in the transaction of the change that it tells of, for publication after the commit. */
export type Announce = (tx: Transaction, event: OrderEvent) => Promise<void>;

/** The event's row, for a batch whose statement writes it. It continues the trace of `cause`, by default the one at hand. */
export type AnnounceRow = (event: OrderEvent, cause?: Context) => OutboxRow;
