import type { Transaction } from "../../platform/data/transaction.ts";
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
