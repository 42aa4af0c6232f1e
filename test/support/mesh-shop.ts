import { randomUUID } from "node:crypto";
import {
  type Order_Coordination as Coordination,
  type Order_State as State,
  type Order,
} from "../../gen/ts/weft/order/v1/order_pb.ts";
import {
  connectToEdge,
  type ClientKind,
  type EdgeClient,
} from "./edge-clients.ts";
import { eventually } from "./eventually.ts";
import { titleOf } from "./mesh-audit.ts";
import { meshUnderTest, type MeshUnderTest } from "./mesh-under-test.ts";
import { moneyOf, type Money } from "./provider-log.ts";
import { orderState } from "./state-names.ts";

/** A test's own world: a client of one kind, and a product that nobody else sells. */
export interface Shop extends Disposable {
  readonly mesh: MeshUnderTest;
  readonly client: EdgeClient;
  readonly sku: string;
  /** A request to order `quantity` units of the product, paid by `token`. */
  readonly order: (
    quantity: number,
    token?: string,
    more?: Omit<OrderRequest, "order">,
  ) => OrderRequest;
  /** Orders and waits until it is settled. */
  readonly settled: (request: OrderRequest) => Promise<Order>;
  /** Orders, and waits until the order is in this state. */
  readonly placedUntil: (state: State, request: OrderRequest) => Promise<Order>;
  readonly get: (name: string) => Promise<Order>;
  readonly until: (state: State, name: string) => Promise<Order>;
  readonly stock: () => Promise<
    Record<"available" | "reserved" | "sold", bigint>
  >;
  /** What the payment provider's journal tells of an order's money. */
  readonly money: (order: string) => Promise<Money>;
}

export interface OrderRequest {
  readonly order: {
    lines: { sku: string; quantity: number }[];
    paymentToken: string;
    coordination?: Coordination;
    expectedTotal?: { currencyCode: string; units: bigint; nanos: number };
  };
  readonly requestId?: string;
  readonly wait?: boolean;
}

/** What one unit of a shop's product costs. */
export const PRICE = { currencyCode: "EUR", units: 12n, nanos: 500_000_000 };

/** Opens a shop with `openingStock` units of a product at 12.50 EUR. */
export async function openShop(
  kind: ClientKind = "gRPC",
  openingStock = 10n,
): Promise<Shop> {
  const mesh = meshUnderTest();
  const client = connectToEdge(mesh.edge, kind);
  const sku = `e2e-${randomUUID()}`;
  await client.inventory.createProduct({
    sku,
    openingStock,
    product: { title: titleOf(openingStock), price: PRICE },
    requestId: randomUUID(),
  });
  return { mesh, client, sku, ...shopping(mesh, client, sku) };
}

function shopping(mesh: MeshUnderTest, client: EdgeClient, sku: string) {
  const get = async (name: string) =>
    present((await client.orders.getOrder({ name })).order);
  const create = async (request: OrderRequest) =>
    present((await client.orders.createOrder(request)).order);
  const until = async (state: State, name: string) => {
    let order = await get(name);
    await eventually(
      `${name} is ${orderState(state)}`,
      async () => (order = await get(name)).state === state,
      60_000,
    );
    return order;
  };
  return {
    order: (quantity, paymentToken = "tok_visa", more = {}) => ({
      ...more,
      order: { lines: [{ sku, quantity }], paymentToken },
    }),
    settled: (request) => create({ ...request, wait: true }),
    placedUntil: async (state, request) =>
      until(state, (await create(request)).name),
    get,
    until,
    async stock() {
      const { product } = await client.inventory.getProduct({
        name: `products/${sku}`,
      });
      const { available = 0n, reserved = 0n, sold = 0n } = product?.stock ?? {};
      return { available, reserved, sold };
    },
    money: (order) => moneyOf(mesh.paymentProviderUrl, order),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  } satisfies Partial<Shop>;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the response holds nothing");
  return value;
}
