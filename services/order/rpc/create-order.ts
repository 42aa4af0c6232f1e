import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Order as OrderMessage } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import type {
  CreateOrderRequest,
  OrderService,
} from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { namedRequestOf } from "../../platform/rpc/named-request.ts";
import { awaitSettled, type AwaitSettledDeps } from "../app/await-settled.ts";
import {
  placeOrder,
  type PlaceOrderDeps,
  type RequestName,
} from "../app/place-order.ts";
import { coordinationNotOffered } from "../domain/order-refusals.ts";
import type { Coordination, PlaceOrder } from "../domain/order.ts";
import { coordinationOf, orderToProto } from "./order-to-proto.ts";

/** What is kept of the deadline for the answer itself. */
const answerMs = 250;

export interface CreateOrderDeps extends PlaceOrderDeps {
  /** Of an order that names none. */
  readonly coordination: Coordination;
  readonly isChoreographyOffered: boolean;
}

export function createOrder(
  deps: CreateOrderDeps & AwaitSettledDeps,
): ServiceImpl<typeof OrderService>["createOrder"] {
  return async (request, context) => {
    const placed = await placeOrder(
      deps,
      commandOf(deps, request.order, context),
      requestName(request, context),
    );
    const waitMs = (context.timeoutMs() ?? 0) - answerMs;
    const order = request.wait
      ? await awaitSettled(deps, placed, waitMs, context.signal)
      : placed;
    return { order: orderToProto(order) };
  };
}

/** The answer is known together with the order, unless it waits for more. */
function requestName(
  { requestId: id, wait }: CreateOrderRequest,
  context: HandlerContext,
): RequestName | undefined {
  const named = namedRequestOf(context);
  return (
    named && {
      id,
      isResumed: named.isResumed,
      take: (tx, order) =>
        wait
          ? named.hold(tx)
          : named.answer(tx, { order: orderToProto(order) }),
      rowFor: (order) =>
        named.newRow(wait ? undefined : { order: orderToProto(order) }),
      isTaken: (row) => named.isTaken(row),
    }
  );
}

function commandOf(
  deps: CreateOrderDeps,
  order: OrderMessage | undefined,
  context: HandlerContext,
): PlaceOrder {
  const { tenant, subject } = callerOf(context);
  return {
    tenant,
    customer: subject,
    lines: order?.lines.map(({ sku, quantity }) => ({ sku, quantity })) ?? [],
    expectedTotal: order?.expectedTotal && moneyFromProto(order.expectedTotal),
    paymentToken: order?.paymentToken ?? "",
    coordination: offered(
      deps,
      (order && coordinationOf(order.coordination)) ?? deps.coordination,
    ),
  };
}

function offered(
  { isChoreographyOffered }: CreateOrderDeps,
  coordination: Coordination,
): Coordination {
  if (coordination === "choreographed" && !isChoreographyOffered) {
    throw coordinationNotOffered(coordination);
  }
  return coordination;
}
