import { randomUUID } from "node:crypto";
import {
  type Order_Coordination as Coordination,
  Order_State as State,
  type Order,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { orderState } from "../../support/state-names.ts";
import type { World } from "./coordination-world.ts";

/** A product at 10 EUR that nobody else sells. */
export async function addProduct(world: World, stock: number): Promise<string> {
  const sku = `sku-${randomUUID()}`;
  await world.inventory.createProduct({
    sku,
    product: { title: "A mug", price: { currencyCode: "EUR", units: 10n } },
    openingStock: BigInt(stock),
  });
  return sku;
}

export interface Wish {
  readonly quantity?: number;
  readonly token?: string;
  readonly requestId?: string;
  /** In whole EUR. */
  readonly expected?: number;
}

/** Requests for orders of one mode: each for one product. */
export function requestsOf(coordination: Coordination) {
  return (sku: string, wish: Wish = {}) => ({
    order: {
      coordination,
      lines: [{ sku, quantity: wish.quantity ?? 1 }],
      paymentToken: wish.token ?? "tok_visa",
      ...(wish.expected !== undefined && {
        expectedTotal: { currencyCode: "EUR", units: BigInt(wish.expected) },
      }),
    },
    requestId: wish.requestId ?? randomUUID(),
  });
}

export async function place(
  orders: World["orders"],
  request: ReturnType<ReturnType<typeof requestsOf>>,
): Promise<Order> {
  const { order } = await orders.createOrder(request);
  if (!order) throw new Error("the answer has no order");
  return order;
}

/** Waits until an order is in a state; answers with it. */
export async function until(
  orders: World["orders"],
  name: string,
  state: State,
  withinMs = 30_000,
): Promise<Order> {
  let order: Order | undefined;
  await eventually(
    `${name} is ${orderState(state)}`,
    async () => {
      order = await orders.getOrder({ name }).then(
        (answer) => answer.order,
        () => order,
      );
      return order?.state === state;
    },
    withinMs,
  ).catch((cause: unknown) => {
    const found = orderState(order?.state ?? State.UNSPECIFIED);
    throw new Error(`${name} is ${found}`, { cause });
  });
  if (!order) throw new Error("the answer has no order");
  return order;
}
