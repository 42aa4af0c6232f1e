import type { Payment, PaymentState } from "./payment.ts";
import type { ProviderIntent } from "./reconcile.ts";

export type FindingKind =
  | "MISSING_HERE"
  | "MISSING_THERE"
  | "AMOUNTS_DIFFER"
  | "STATES_DIFFER"
  | "LEDGER_DIFFERS";

/** How our books and the provider's differ about one payment; both sides for people to read. */
export interface Difference {
  readonly kind: FindingKind;
  readonly ours: string;
  readonly theirs: string;
}

/** A payment at the provider. Minor units. */
export interface TheirBooks {
  readonly intent: ProviderIntent;
  readonly currency: string;
  readonly held: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
}

/** A payment here, and what the ledger has of it. Minor units. */
export interface OurBooks {
  readonly payment: Payment;
  readonly ledgerHolds: bigint;
  readonly ledgerCash: bigint;
}

/** The first thing in which the two differ; undefined where they agree. */
export function compareBooks(
  ours: OurBooks | undefined,
  theirs: TheirBooks | undefined,
): Difference | undefined {
  if (ours === undefined || theirs === undefined) {
    return missing(ours, theirs);
  }
  const { payment, ledgerHolds, ledgerCash } = ours;
  const here = ourText(payment);
  const there = theirText(theirs);
  if (!statesThere[payment.state].includes(theirs.intent.status)) {
    return { kind: "STATES_DIFFER", ours: here, theirs: there };
  }
  const held = heldHere(payment);
  const isSame =
    payment.amount?.currency === theirs.currency &&
    held === theirs.held &&
    payment.captured === theirs.captured &&
    payment.refunded === theirs.refunded;
  if (!isSame) return { kind: "AMOUNTS_DIFFER", ours: here, theirs: there };
  const cash = payment.captured - payment.refunded;
  return ledgerHolds === held && ledgerCash === cash
    ? undefined
    : {
        kind: "LEDGER_DIFFERS",
        ours: `the ledger holds ${ledgerHolds} and has ${ledgerCash}`,
        theirs: there,
      };
}

function missing(
  ours: OurBooks | undefined,
  theirs: TheirBooks | undefined,
): Difference | undefined {
  if (theirs !== undefined) {
    return { kind: "MISSING_HERE", ours: "nothing", theirs: theirText(theirs) };
  }
  if (ours === undefined || !movesMoney(ours.payment)) return undefined;
  const here = ourText(ours.payment);
  return { kind: "MISSING_THERE", ours: here, theirs: "nothing" };
}

/** Whether the provider must know of the payment. */
export function movesMoney({ state }: Payment): boolean {
  return state === "AUTHORIZED" || state === "CAPTURED" || state === "REFUNDED";
}

/** How a payment of ours may stand at the provider once nothing is open. */
const statesThere: Readonly<
  Record<PaymentState, readonly ProviderIntent["status"][]>
> = {
  AUTHORIZING: [],
  UNKNOWN: [],
  AUTHORIZED: ["held"],
  DECLINED: ["declined"],
  CAPTURED: ["taken"],
  VOIDED: ["released"],
  REFUNDED: ["taken"],
};

function heldHere({ state, amount }: Payment): bigint {
  return state === "AUTHORIZED" ? (amount?.minorUnits ?? 0n) : 0n;
}

function ourText(payment: Payment): string {
  const { state, amount, captured, refunded } = payment;
  const currency = amount?.currency ?? "no currency";
  return `${state}: ${heldHere(payment)} held, ${captured} taken, ${refunded} given back (${currency})`;
}

function theirText(theirs: TheirBooks): string {
  const { intent, held, captured, refunded, currency } = theirs;
  return `${intent.status}: ${held} held, ${captured} taken, ${refunded} given back (${currency})`;
}
