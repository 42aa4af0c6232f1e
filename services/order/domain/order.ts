import type { Money } from "./money.ts";

/** Where an order stands; the contract's `Order.State`. */
export type OrderState =
  | "placed"
  | "reserved"
  | "authorized"
  | "confirmed"
  | "completed"
  | "rejecting"
  | "rejected"
  | "cancelling"
  | "cancelled"
  | "needs_attention";

/** How the services come to one outcome for an order; the contract's `Order.Coordination`. */
export type Coordination =
  "orchestrated" | "choreographed" | "two_phase_commit";

/** What can be given back: the payment's hold, the stock's reservation; or both branches of a two-phase commit. */
export type Undo = "void" | "release" | "rollback";

/** What an order needs of its participants: one call, or with two-phase commit one call of each. */
export type Step =
  "reserve" | "authorize" | "confirm" | "capture" | "prepare" | "commit" | Undo;

export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
  /** Minor units of the total's currency; known once the stock is reserved. */
  readonly unitPrice?: bigint;
}

/** Why an order was refused. `reason` is a name of the contract's ErrorReason. */
export interface OrderFailure {
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Why an order can't end by itself. `reason` is a name of the contract's ErrorReason. */
export interface OrderAttention extends OrderFailure {
  /** The state that it is stuck in, and goes on from. */
  readonly state: OrderState;
  readonly step: Step;
  readonly since: Date;
}

export interface Order {
  readonly id: string;
  readonly tenant: string;
  readonly customer: string;
  readonly lines: readonly OrderLine[];
  readonly expectedTotal: Money | undefined;
  readonly total: Money | undefined;
  readonly paymentToken: string | undefined;
  readonly coordination: Coordination;
  /** Grows with each coordinator of a two-phase commit, until it is decided. */
  readonly epoch: bigint;
  readonly state: OrderState;
  readonly failure: OrderFailure | undefined;
  /** In state `needs_attention`, and in no other. */
  readonly attention: OrderAttention | undefined;
  /** What is left to give back, the next one first. */
  readonly undo: readonly Undo[];
  /** Grows by one with each change. */
  readonly version: bigint;
  /** How often the step at hand has failed without an answer. */
  readonly attempts: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly settledAt: Date | undefined;
}

export interface PlaceOrder {
  readonly tenant: string;
  readonly customer: string;
  readonly lines: readonly OrderLine[];
  readonly expectedTotal: Money | undefined;
  readonly paymentToken: string;
  readonly coordination: Coordination;
}

/** A new order. Nothing is held for it yet. */
export function place(
  command: PlaceOrder,
  made: { readonly id: string; readonly at: Date },
): Order {
  return {
    id: made.id,
    tenant: command.tenant,
    customer: command.customer,
    lines: command.lines.map(({ sku, quantity }) => ({ sku, quantity })),
    expectedTotal: command.expectedTotal,
    total: undefined,
    paymentToken: command.paymentToken,
    coordination: command.coordination,
    epoch: 1n,
    state: "placed",
    failure: undefined,
    attention: undefined,
    undo: [],
    version: 1n,
    attempts: 0,
    createdAt: made.at,
    updatedAt: made.at,
    settledAt: undefined,
  };
}

/** The ends of an order. */
export const SETTLED_STATES: readonly OrderState[] = [
  "completed",
  "rejected",
  "cancelled",
];

/** Whether the order has come to its end: it never changes again. */
export function isSettled({ state }: Pick<Order, "state">): boolean {
  return SETTLED_STATES.includes(state);
}

/** The resource name of an order, as contracts spell it. */
export function orderName(id: string): string {
  return `orders/${id}`;
}

/** The resource name of an order's reservation: it has the order's id. */
export function reservationName(orderId: string): string {
  return `reservations/${orderId}`;
}

/** The resource name of an order's payment: it has the order's id. */
export function paymentName(orderId: string): string {
  return `payments/${orderId}`;
}
