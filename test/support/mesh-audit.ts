import type { Product } from "../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import {
  Order_State as State,
  type Order,
} from "../../gen/ts/weft/order/v1/order_pb.ts";
import {
  Payment_State as PaymentState,
  type Payment,
} from "../../gen/ts/weft/payment/v1/payment_pb.ts";
import { connectToEdge, type EdgeClient } from "./edge-clients.ts";
import { eventually } from "./eventually.ts";
import { edgeOf, type MeshAddresses } from "./mesh-under-test.ts";
import { moneyByOrder, type Money } from "./provider-log.ts";
import { orderState, paymentState } from "./state-names.ts";

/** Orders that wait for a provider who does not answer are the slowest to settle: they give up after two minutes. */
const SETTLE_DEADLINE_MS = 150_000;

const OPEN_STATES = [
  State.PLACED,
  State.RESERVED,
  State.AUTHORIZED,
  State.CONFIRMED,
  State.REJECTING,
  State.CANCELLING,
];

/** The title of a product tells what was brought in, so that its stock can be audited. */
export function titleOf(openingStock: bigint): string {
  return `e2e product, ${openingStock} brought in`;
}

/**
 * Waits until every order is settled, and compares the books of all services with each other and with the payment
 * provider's journal, by what anybody can read through the edge. Each question is put by `ask`: once, unless told otherwise.
 *
 * @throws Error that names every fault.
 */
export async function auditMesh(
  mesh: Pick<
    MeshAddresses,
    "edgeUrl" | "caFile" | "demoTokenFile" | "paymentProviderUrl"
  >,
  ask: <T>(question: () => Promise<T>) => Promise<T> = (question) => question(),
): Promise<void> {
  using client = connectToEdge(edgeOf(mesh), "gRPC");
  await eventually(
    "every order is settled",
    async () => (await ask(() => openOrders(client))).length === 0,
    SETTLE_DEADLINE_MS,
  );
  const orders = await allPages(async (pageToken) => {
    const request = { pageSize: 500, pageToken };
    const page = await ask(() => client.orders.listOrders(request));
    return { ...page, items: page.orders };
  });
  const products = await allPages(async (pageToken) => {
    const request = { pageSize: 500, pageToken };
    const page = await ask(() => client.inventory.listProducts(request));
    return { ...page, items: page.products };
  });
  const payments = await allPages(async (pageToken) => {
    const request = { pageSize: 500, pageToken };
    const page = await ask(() => client.payments.listPayments(request));
    return { ...page, items: page.payments };
  });
  const money = await moneyByOrder(mesh.paymentProviderUrl);
  const refunded = new Set(payments.filter(isRefunded).map(({ name }) => name));
  const faults = [
    ...products.flatMap((product) => stockFaults(product, orders)),
    ...orders.flatMap((order) =>
      moneyFaults(order, money.get(order.name), refunded.has(order.payment)),
    ),
    ...unknownOrders(orders, money),
    ...payments.flatMap(paymentFaults),
  ];
  if (faults.length > 0) {
    throw new Error(`the books do not balance:\n${faults.join("\n")}`);
  }
}

async function openOrders(client: EdgeClient): Promise<readonly Order[]> {
  const { orders } = await client.orders.listOrders({ states: OPEN_STATES });
  return orders;
}

async function allPages<T>(
  page: (token: string) => Promise<{
    readonly items: readonly T[];
    readonly nextPageToken: string;
  }>,
): Promise<T[]> {
  const all: T[] = [];
  let token = "";
  do {
    const { items, nextPageToken } = await page(token);
    all.push(...items);
    token = nextPageToken;
  } while (token !== "");
  return all;
}

function stockFaults(product: Product, orders: readonly Order[]): string[] {
  const { sku, title, stock } = product;
  const { available = 0n, reserved = 0n, sold = 0n } = stock ?? {};
  const sum = available + reserved + sold;
  const ordered = orders
    .filter(({ state }) => state === State.COMPLETED)
    .flatMap(({ lines }) => lines.filter((line) => line.sku === sku))
    .reduce((units, { quantity }) => units + BigInt(quantity), 0n);
  return [
    ...(title === titleOf(sum) ? [] : [`${sku}: ${title}, and ${sum} left`]),
    ...(reserved === 0n ? [] : [`${sku}: ${reserved} reserved for nobody`]),
    ...(sold === ordered ? [] : [`${sku}: ${sold} sold, ${ordered} ordered`]),
  ];
}

function isRefunded({ refundedAmount }: Payment): boolean {
  const { units = 0n, nanos = 0 } = refundedAmount ?? {};
  return units > 0n || nanos > 0;
}

function moneyFaults(
  order: Order,
  money: Money | undefined,
  refunded: boolean,
): string[] {
  const { captures = 0, held = 0, refunds = 0 } = money ?? {};
  const wanted = order.state === State.COMPLETED ? 1 : 0;
  const isRight = captures === wanted && held === 0 && refunds > 0 === refunded;
  return isRight
    ? []
    : [`${order.name} is ${orderState(order.state)}: ${JSON.stringify(money)}`];
}

function unknownOrders(
  orders: readonly Order[],
  money: ReadonlyMap<string, Money>,
): string[] {
  const known = new Set(orders.map(({ name }) => name));
  return [...money.keys()]
    .filter((order) => !known.has(order))
    .map((order) => `the provider knows of ${order}, which nobody placed`);
}

function paymentFaults({ name, state }: Payment): string[] {
  return state === PaymentState.AUTHORIZED || state === PaymentState.UNKNOWN
    ? [`${name} is ${paymentState(state)}, and its order is settled`]
    : [];
}
