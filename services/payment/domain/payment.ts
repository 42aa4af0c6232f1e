import type { Money } from "./money.ts";
import { amountInvalid } from "./payment-refusals.ts";

export type PaymentState =
  | "AUTHORIZING"
  | "UNKNOWN"
  | "AUTHORIZED"
  | "DECLINED"
  | "CAPTURED"
  | "VOIDED"
  | "REFUNDED";

/** What the provider is being asked for; stored before it is asked, one at a time. */
export type PendingRequest =
  | { readonly kind: "capture"; readonly amount: bigint; readonly since: Date }
  | { readonly kind: "void"; readonly since: Date }
  | {
      readonly kind: "refund";
      readonly refundId: string;
      readonly amount: bigint;
      readonly since: Date;
    };

export interface Payment {
  readonly tenant: string;
  readonly id: string;
  readonly orderId: string;
  /** Its order is choreographed: what happens to it is for others to act on. */
  readonly choreographed: boolean;
  /** Undefined for the mark that a void before its authorize leaves. */
  readonly amount: Money | undefined;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly state: PaymentState;
  readonly declineCode: string | undefined;
  readonly providerReference: string | undefined;
  /** Kept only while the provider may have to be asked for the hold again. */
  readonly token: string | undefined;
  /** Recognises the token of a repeated request once the token is gone. */
  readonly tokenFingerprint: string | undefined;
  readonly pending: PendingRequest | undefined;
  /** When the provider was last asked for the hold. */
  readonly askedAt: Date;
  readonly version: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface AuthorizeCommand {
  readonly tenant: string;
  readonly paymentId: string;
  readonly orderId: string;
  readonly amount: Money;
  readonly token: string;
  readonly choreographed?: boolean;
}

/** Far past any order, and all that a 64-bit integer of any client or database holds. */
const MAX_MINOR_UNITS = 2n ** 63n - 1n;

/**
 * A payment whose hold is about to be asked for.
 *
 * @throws DomainError AMOUNT_INVALID
 */
export function newPayment(
  command: AuthorizeCommand,
  tokenFingerprint: string,
  at: Date,
): Payment {
  const { minorUnits } = command.amount;
  if (minorUnits <= 0n || minorUnits > MAX_MINOR_UNITS) {
    throw amountInvalid("The amount must be more than zero and fit 64 bits.");
  }
  return {
    ...blank(command, at),
    choreographed: command.choreographed ?? false,
    amount: command.amount,
    state: "AUTHORIZING",
    token: command.token,
    tokenFingerprint,
  };
}

/** The mark that refuses an Authorize which comes after its own void. */
export function newTombstone(
  command: Pick<AuthorizeCommand, "tenant" | "paymentId" | "orderId">,
  at: Date,
): Payment {
  return { ...blank(command, at), state: "VOIDED" };
}

/** Whether it is not known yet if money is held. */
export function isUnsettled(payment: Payment): boolean {
  return payment.state === "AUTHORIZING" || payment.state === "UNKNOWN";
}

function blank(
  {
    tenant,
    paymentId,
    orderId,
  }: Pick<AuthorizeCommand, "tenant" | "paymentId" | "orderId">,
  at: Date,
): Omit<Payment, "state"> {
  return {
    tenant,
    id: paymentId,
    orderId,
    choreographed: false,
    amount: undefined,
    captured: 0n,
    refunded: 0n,
    declineCode: undefined,
    providerReference: undefined,
    token: undefined,
    tokenFingerprint: undefined,
    pending: undefined,
    askedAt: at,
    version: 1n,
    createdAt: at,
    updatedAt: at,
  };
}
