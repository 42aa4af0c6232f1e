import { randomUUID } from "node:crypto";
import { Code, ConnectError, type Client } from "@connectrpc/connect";
import type { Product } from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";

export type Sku =
  | "espresso-beans-1kg"
  | "paper-filters-100"
  | "moka-pot-6-cups"
  | "hand-grinder"
  | "gooseneck-kettle"
  | "lever-machine";

interface CatalogueEntry {
  readonly sku: Sku;
  readonly title: string;
  readonly price: { readonly units: bigint; readonly nanos: number };
  readonly openingStock: bigint;
  /** Stock below it is brought back to the opening stock; never where left out. */
  readonly refillBelow?: bigint;
}

export type Inventory = Pick<
  Client<typeof InventoryService>,
  "getProduct" | "createProduct" | "adjustStock"
>;

/**
 * Sees that every demo product exists and that there is enough of it, so that
 * the demo ends alike however often it runs. Returns the available units.
 */
export async function stockCatalogue(
  inventory: Inventory,
  call: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Record<Sku, number>> {
  const levels = await Promise.all(
    CATALOGUE.map(async (entry) => {
      const product = await ensureProduct(inventory, entry, call);
      return [entry.sku, Number(product?.stock?.available ?? 0n)];
    }),
  );
  // One entry for each of the catalogue, which has every Sku (see below).
  return Object.fromEntries(levels) as Record<Sku, number>;
}

const CATALOGUE: readonly CatalogueEntry[] = Object.values({
  "espresso-beans-1kg": {
    sku: "espresso-beans-1kg",
    title: "Espresso beans, dark roast, 1 kg",
    price: { units: 24n, nanos: 900_000_000 },
    openingStock: 500n,
    refillBelow: 50n,
  },
  "paper-filters-100": {
    sku: "paper-filters-100",
    title: "Paper filters, unbleached, 100 pieces",
    price: { units: 4n, nanos: 950_000_000 },
    openingStock: 500n,
    refillBelow: 50n,
  },
  "moka-pot-6-cups": {
    sku: "moka-pot-6-cups",
    title: "Moka pot for six cups",
    price: { units: 34n, nanos: 500_000_000 },
    openingStock: 200n,
    refillBelow: 50n,
  },
  "hand-grinder": {
    sku: "hand-grinder",
    title: "Hand grinder with a steel burr",
    price: { units: 79n, nanos: 0 },
    openingStock: 200n,
    refillBelow: 50n,
  },
  "gooseneck-kettle": {
    sku: "gooseneck-kettle",
    title: "Gooseneck kettle, 0.9 l",
    price: { units: 64n, nanos: 900_000_000 },
    openingStock: 200n,
    refillBelow: 50n,
  },
  "lever-machine": {
    sku: "lever-machine",
    title: "Lever espresso machine",
    price: { units: 1_190n, nanos: 0 },
    openingStock: 2n,
  },
} satisfies { readonly [S in Sku]: CatalogueEntry & { readonly sku: S } });

async function ensureProduct(
  inventory: Inventory,
  entry: CatalogueEntry,
  call: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Product | undefined> {
  const name = `products/${entry.sku}`;
  const product = await findProduct(() => inventory.getProduct({ name }, call));
  if (product === undefined) {
    const { sku, title, openingStock } = entry;
    const price = { currencyCode: "EUR", ...entry.price };
    const request = { sku, openingStock, product: { title, price } };
    const created = await inventory.createProduct(
      { ...request, requestId: randomUUID() },
      call,
    );
    return created.product;
  }
  const available = product.stock?.available ?? 0n;
  if (entry.refillBelow === undefined || available >= entry.refillBelow) {
    return product;
  }
  const delta = entry.openingStock - available;
  const adjusted = await inventory.adjustStock(
    { name, delta, reason: "refilled for the demo", requestId: randomUUID() },
    call,
  );
  return adjusted.product;
}

async function findProduct(
  get: () => Promise<{ readonly product?: Product | undefined }>,
): Promise<Product | undefined> {
  try {
    return (await get()).product;
  } catch (error) {
    if (ConnectError.from(error).code === Code.NotFound) return undefined;
    throw error;
  }
}
