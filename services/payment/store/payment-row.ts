import type {
  Payment,
  PaymentState,
  PendingRequest,
} from "../domain/payment.ts";

export interface PaymentRow {
  tenant: string;
  id: string;
  order_id: string;
  currency: string | null;
  amount: bigint | null;
  captured_amount: bigint;
  refunded_amount: bigint;
  state: PaymentState;
  decline_code: string | null;
  provider_reference: string | null;
  payment_token: string | null;
  token_fingerprint: string | null;
  pending: PendingRequest["kind"] | null;
  pending_amount: bigint | null;
  pending_refund_id: string | null;
  pending_since: Date | null;
  asked_at: Date;
  version: bigint;
  created_at: Date;
  updated_at: Date;
  choreographed: boolean;
}

/** The order is that of an insert: what never changes, what {@link changing} lists, the version and the times. */
export const columns = `tenant, id, order_id, currency, amount, captured_amount, refunded_amount, state,
       decline_code, provider_reference, payment_token, token_fingerprint,
       pending, pending_amount, pending_refund_id, pending_since, asked_at,
       version, created_at, updated_at`;

/** The columns of a query that answers {@link PaymentRow}s. */
export const selected = `${columns}, choreographed`;

/** The columns from `captured_amount` to `asked_at`, by name and in the order of {@link columns}. */
export function changingOf(payment: Payment) {
  const { pending } = payment;
  return {
    captured_amount: payment.captured,
    refunded_amount: payment.refunded,
    state: payment.state,
    decline_code: payment.declineCode ?? null,
    provider_reference: payment.providerReference ?? null,
    payment_token: payment.token ?? null,
    token_fingerprint: payment.tokenFingerprint ?? null,
    pending: pending?.kind ?? null,
    pending_amount:
      pending === undefined || pending.kind === "void" ? null : pending.amount,
    pending_refund_id: pending?.kind === "refund" ? pending.refundId : null,
    pending_since: pending?.since ?? null,
    asked_at: payment.askedAt,
  };
}

/** The values of {@link changingOf}. */
export function changing(payment: Payment): unknown[] {
  return Object.values(changingOf(payment));
}

/** The columns of {@link changingOf}, as `json_to_recordset` needs them. */
export const changingRecord = `captured_amount bigint, refunded_amount bigint, state text, decline_code text,
         provider_reference text, payment_token text, token_fingerprint text, pending text, pending_amount bigint,
         pending_refund_id uuid, pending_since timestamptz, asked_at timestamptz`;

export function toPayment(row: PaymentRow): Payment {
  const { currency, amount } = row;
  return {
    tenant: row.tenant,
    id: row.id,
    orderId: row.order_id,
    choreographed: row.choreographed,
    amount:
      currency === null || amount === null
        ? undefined
        : { currency, minorUnits: amount },
    captured: row.captured_amount,
    refunded: row.refunded_amount,
    state: row.state,
    declineCode: row.decline_code ?? undefined,
    providerReference: row.provider_reference ?? undefined,
    token: row.payment_token ?? undefined,
    tokenFingerprint: row.token_fingerprint ?? undefined,
    pending: toPending(row),
    askedAt: row.asked_at,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function toPending(row: PaymentRow): PendingRequest | undefined {
  const since = row.pending_since;
  if (row.pending === null || since === null) return undefined;
  const amount = row.pending_amount ?? 0n;
  const refundId = row.pending_refund_id ?? "";
  switch (row.pending) {
    case "capture":
      return { kind: "capture", amount, since };
    case "void":
      return { kind: "void", since };
    case "refund":
      return { kind: "refund", refundId, amount, since };
  }
}
