import {
  Code,
  ConnectError,
  createClient,
  type Transport,
} from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { actFor } from "../../platform/rpc/act-for.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import type { Money } from "../domain/money.ts";
import { unknownSku } from "../domain/order-failures.ts";
import type { Order } from "../domain/order.ts";
import { quote, type Quote } from "../domain/two-phase-commit.ts";

/** Tells what an order costs before anything is held for it. */
export type QuoteClient = (
  order: Order,
) => Promise<Quote | { readonly kind: "unanswered"; readonly cause: unknown }>;

const MAX_PRICES = 10_000;

/**
 * Asks Inventory for prices, and keeps them: a product's price does not change. Should one have changed after all, the
 * participant that sells the stock votes no, as it is told what the order was quoted.
 */
export function quoteClient(transport: Transport): QuoteClient {
  const client = createClient(InventoryService, transport);
  const known = new Map<string, Money>();

  const learn = async (order: Order, skus: readonly string[]) => {
    const { products } = await client.batchGetProducts(
      { names: skus.map((sku) => `products/${sku}`) },
      actFor({ tenant: order.tenant, subject: order.customer }),
    );
    products.forEach(({ price }, index) => {
      const [oldest] = known.keys();
      if (known.size >= MAX_PRICES && oldest !== undefined) {
        known.delete(oldest);
      }
      known.set(keyOf(order, skus[index] ?? ""), moneyFromProto(price));
    });
  };
  return async (order) => {
    const skus = order.lines.map(({ sku }) => sku);
    try {
      const unknown = skus.filter((sku) => !known.has(keyOf(order, sku)));
      if (unknown.length > 0) await learn(order, unknown);
    } catch (error) {
      return refusalOf(error) ?? { kind: "unanswered", cause: error };
    }
    return quote(
      order,
      new Map(
        skus.flatMap((sku) => {
          const price = known.get(keyOf(order, sku));
          return price ? [[sku, price]] : [];
        }),
      ),
    );
  };
}

function refusalOf(error: unknown): Quote | undefined {
  if (!(error instanceof ConnectError) || error.code !== Code.NotFound) {
    return undefined;
  }
  const [info] = error.findDetails(ErrorInfoSchema);
  const failure = unknownSku(info?.metadata["sku"] ?? "");
  return { kind: "refused", failure };
}

/** The length tells where the tenant's name, in which any character may stand, ends. */
function keyOf({ tenant }: Order, sku: string): string {
  return `${tenant.length}/${tenant}/${sku}`;
}
