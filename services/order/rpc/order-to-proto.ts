import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Order_Coordination as CoordinationNumber,
  Order_State as State,
  type OrderAttentionSchema,
  type OrderSchema,
  type OrderTimelineEntrySchema,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { moneyToProto } from "../../platform/rpc/money.ts";
import { etagOf } from "../domain/etag.ts";
import {
  orderName,
  paymentName,
  reservationName,
  type Coordination,
  type Order,
  type OrderAttention,
  type OrderState,
} from "../domain/order.ts";
import type { TimelineEntry } from "../domain/timeline.ts";

/** An order as the contract shows it. The payment token stays inside. */
export function orderToProto(
  order: Order,
  timeline: readonly TimelineEntry[] = [],
): MessageInitShape<typeof OrderSchema> {
  const { expectedTotal, total, failure, settledAt } = order;
  const isReserved = total !== undefined;
  return {
    name: orderName(order.id),
    etag: etagOf(order),
    customer: order.customer,
    lines: order.lines.map(({ sku, quantity, unitPrice }) => ({
      sku,
      quantity,
      ...(total &&
        unitPrice !== undefined && {
          unitPrice: moneyToProto({ ...total, minorUnits: unitPrice }),
        }),
    })),
    ...(expectedTotal && { expectedTotal: moneyToProto(expectedTotal) }),
    ...(total && { total: moneyToProto(total) }),
    state: states[order.state],
    coordination: coordinations[order.coordination],
    ...(failure && {
      failure: { ...failure, metadata: { ...failure.metadata } },
    }),
    ...(order.attention && { attention: attentionToProto(order.attention) }),
    ...(isReserved && { reservation: reservationName(order.id) }),
    ...(hasPayment(order) && { payment: paymentName(order.id) }),
    createTime: timestampFromDate(order.createdAt),
    updateTime: timestampFromDate(order.updatedAt),
    ...(settledAt && { settleTime: timestampFromDate(settledAt) }),
    timeline: timeline.map(entryToProto),
  };
}

/** A state, as the contract numbers it. */
export function stateToProto(state: OrderState): State {
  return states[state];
}

/** The state that a contract's number stands for; undefined for the unspecified one. */
export function stateOfProto(state: State): OrderState | undefined {
  return orderStates.find((candidate) => states[candidate] === state);
}

/** The coordination that a contract's number stands for; undefined for the unspecified one. */
export function coordinationOf(
  number: CoordinationNumber,
): Coordination | undefined {
  const names = Object.keys(coordinations) as Coordination[];
  return names.find((name) => coordinations[name] === number);
}

const coordinations = {
  orchestrated: CoordinationNumber.ORCHESTRATED,
  choreographed: CoordinationNumber.CHOREOGRAPHED,
  two_phase_commit: CoordinationNumber.TWO_PHASE_COMMIT,
} as const satisfies Record<Coordination, CoordinationNumber>;

const states = {
  placed: State.PLACED,
  reserved: State.RESERVED,
  authorized: State.AUTHORIZED,
  confirmed: State.CONFIRMED,
  completed: State.COMPLETED,
  rejecting: State.REJECTING,
  rejected: State.REJECTED,
  cancelling: State.CANCELLING,
  cancelled: State.CANCELLED,
  needs_attention: State.NEEDS_ATTENTION,
} as const satisfies Record<OrderState, State>;

// The keys of a record that has every state are the states.
const orderStates = Object.keys(states) as OrderState[];

/** Whether a payment has been asked for: the order got past its reservation, or was refused by the payment itself. */
function hasPayment(order: Order): boolean {
  const state = order.attention?.state ?? order.state;
  return (
    state === "authorized" ||
    state === "confirmed" ||
    state === "completed" ||
    order.failure?.reason === "PAYMENT_DECLINED"
  );
}

/** Why an order needs a person, as the contract shows it. */
export function attentionToProto(
  attention: OrderAttention,
): MessageInitShape<typeof OrderAttentionSchema> {
  return {
    state: states[attention.state],
    step: attention.step,
    reason: attention.reason,
    message: attention.message,
    metadata: { ...attention.metadata },
    sinceTime: timestampFromDate(attention.since),
  };
}

function entryToProto(
  entry: TimelineEntry,
): MessageInitShape<typeof OrderTimelineEntrySchema> {
  return {
    eventId: entry.eventId,
    type: entry.type,
    source: entry.source,
    eventTime: timestampFromDate(entry.eventTime),
    receiveTime: timestampFromDate(entry.receiveTime),
    traceId: entry.traceId,
  };
}
