import type { Payment } from "./payment.ts";
import type { PaymentChange } from "./payment-change.ts";

/**
 * `provider_holds` is what the provider holds for us, `customer_holds` its
 * counterpart; `provider_cash` is what the provider took and owes us,
 * `order_revenue` and `order_refunds` are its counterparts.
 */
export type LedgerAccount =
  | "provider_holds"
  | "customer_holds"
  | "provider_cash"
  | "order_revenue"
  | "order_refunds";

/** Minor units of the payment's currency; debits are positive. */
export interface Posting {
  readonly account: LedgerAccount;
  readonly amount: bigint;
}

/** A posting as it was booked. */
export interface BookedPosting extends Posting {
  readonly id: string;
  readonly transactionId: string;
  readonly paymentId: string;
  readonly currency: string;
  readonly createdAt: Date;
}

/** What is on an account, in minor units. */
export interface Balance {
  readonly account: LedgerAccount;
  readonly currency: string;
  readonly amount: bigint;
}

/** The double entry of a change; its postings sum to zero. Empty where no money moves. */
export function postingsOf(payment: Payment, change: PaymentChange): Posting[] {
  const held = payment.amount?.minorUnits ?? 0n;
  switch (change.type) {
    case "authorized":
      return transfer("customer_holds", "provider_holds", held);
    case "captured":
      return [
        ...transfer("provider_holds", "customer_holds", held),
        ...transfer("order_revenue", "provider_cash", change.amount),
      ];
    case "voided":
      // Only what was held: a payment that is voided by absence never was.
      return payment.state === "AUTHORIZED"
        ? transfer("provider_holds", "customer_holds", held)
        : [];
    case "refunded":
      return transfer("provider_cash", "order_refunds", change.amount);
    case "asked":
    case "unanswered":
    case "declined":
    case "capture-requested":
    case "void-requested":
    case "refund-requested":
    case "late-hold-found":
    case "request-closed":
      return [];
  }
}

function transfer(
  credit: LedgerAccount,
  debit: LedgerAccount,
  amount: bigint,
): Posting[] {
  return [
    { account: credit, amount: -amount },
    { account: debit, amount },
  ];
}
