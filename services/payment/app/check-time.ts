import { isUnsettled, type Payment } from "../domain/payment.ts";

export interface CheckTimes {
  /** How long a payment may be open before the recovery looks at it. */
  readonly recoverAfterMs: number;
  /** When to look once more for a hold that the provider did not know of. */
  readonly lateCheckMs: number;
}

/** When the recovery should look at the payment; undefined where nothing is open. */
export function checkTime(
  times: CheckTimes,
  payment: Payment,
): Date | undefined {
  const since = payment.updatedAt.getTime();
  if (isUnsettled(payment) || payment.pending !== undefined) {
    return new Date(since + times.recoverAfterMs);
  }
  return isVoidedByAbsence(payment)
    ? new Date(since + times.lateCheckMs)
    : undefined;
}

/** Voided because the provider knew nothing of it, and not at the provider's word. */
export function isVoidedByAbsence(payment: Payment): boolean {
  return (
    payment.state === "VOIDED" &&
    payment.amount !== undefined &&
    payment.providerReference === undefined
  );
}
