import type { Context } from "@opentelemetry/api";
import type { Transaction } from "../../platform/data/transaction.ts";
import type { OutboxRow } from "../../platform/events/outbox-rows.ts";
import type { Payment } from "../domain/payment.ts";
import type { PaymentChange } from "../domain/payment-change.ts";

/**
 * Writes down what became of a payment, in the transaction of the change, for
 * publication after the commit. Changes that nobody outside needs to know are
 * passed too, and ignored. Call it with the payment's row locked.
 */
export type Announce = (
  tx: Transaction,
  payment: Payment,
  change: PaymentChange,
) => Promise<void>;

/** How a batch announces: its statement writes the rows, and `wake` tells that it is committed. */
export interface AnnounceTogether {
  /** The event's row, if the change makes one. It continues the trace of `cause`. */
  row(
    payment: Payment,
    change: PaymentChange,
    cause: Context,
  ): OutboxRow | undefined;
  wake(): void;
}
