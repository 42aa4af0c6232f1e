import type { Executor } from "../../platform/data/executor.ts";
import type { Money } from "../domain/money.ts";
import type { Product } from "../domain/product.ts";

interface ProductRow {
  tenant: string;
  sku: string;
  title: string;
  description: string;
  currency: string;
  price_minor: bigint;
  available: bigint;
  reserved: bigint;
  sold: bigint;
  version: bigint;
  created_at: Date;
  updated_at: Date;
}

/** Adds the product and its stock. False if the tenant has a product of this SKU. */
export async function insertProduct(
  db: Executor,
  product: Product,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `with created as (
       insert into products (tenant, sku, title, description, currency, price_minor, created_at)
       values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (tenant, sku) do nothing
       returning tenant, sku
     )
     insert into stock (tenant, sku, available, reserved, sold, version, updated_at)
     select tenant, sku, $8, 0, 0, $9, $7
     from created`,
    [
      product.tenant,
      product.sku,
      product.title,
      product.description,
      product.price.currency,
      product.price.minorUnits,
      product.createdAt,
      product.stock.available,
      product.version,
    ],
  );
  return rowCount === 1;
}

export async function findProduct(
  db: Executor,
  tenant: string,
  sku: string,
): Promise<Product | undefined> {
  const [product] = await findProducts(db, tenant, [sku]);
  return product;
}

/** The products among these that exist, each once, in no order. */
export async function findProducts(
  db: Executor,
  tenant: string,
  skus: readonly string[],
): Promise<Product[]> {
  const { rows } = await db.query<ProductRow>(
    `select tenant, sku, title, description, currency, price_minor,
       available, reserved, sold, version, created_at, updated_at
     from products
     join stock using (tenant, sku)
     where tenant = $1
       and sku = any($2)`,
    [tenant, skus],
  );
  return rows.map(toProduct);
}

/** The tenant's next products by SKU, after that one; from the first where it is empty. */
export async function listProductsAfter(
  db: Executor,
  tenant: string,
  afterSku: string,
  limit: number,
): Promise<Product[]> {
  const { rows } = await db.query<ProductRow>(
    `select tenant, sku, title, description, currency, price_minor,
       available, reserved, sold, version, created_at, updated_at
     from products
     join stock using (tenant, sku)
     where tenant = $1
       and sku > $2
     order by sku
     limit $3`,
    [tenant, afterSku, limit],
  );
  return rows.map(toProduct);
}

export interface ProductKey {
  readonly tenant: string;
  readonly sku: string;
}

interface PriceRow {
  sku: string;
  currency: string;
  price_minor: bigint;
}

/** The prices of those SKUs that exist. Leaves the stock alone: a price does not change, so it needs no lock. */
export async function findPrices(
  db: Executor,
  tenant: string,
  skus: readonly string[],
): Promise<Map<string, Money>> {
  const { rows } = await db.query<PriceRow>(
    `select sku, currency, price_minor
     from products
     where tenant = $1
       and sku = any($2)`,
    [tenant, skus],
  );
  return new Map(
    rows.map((row) => [
      row.sku,
      { currency: row.currency, minorUnits: row.price_minor },
    ]),
  );
}

/** As {@link findPrices}, for products of any tenant. */
export async function findPricesOf(
  db: Executor,
  keys: readonly ProductKey[],
): Promise<(ProductKey & { readonly price: Money })[]> {
  const { rows } = await db.query<PriceRow & { tenant: string }>(
    `select tenant, sku, currency, price_minor
     from products
     join unnest($1::text[], $2::text[]) as wanted (tenant, sku) using (tenant, sku)`,
    [keys.map(({ tenant }) => tenant), keys.map(({ sku }) => sku)],
  );
  return rows.map(({ tenant, sku, currency, price_minor }) => ({
    tenant,
    sku,
    price: { currency, minorUnits: price_minor },
  }));
}

function toProduct(row: ProductRow): Product {
  return {
    tenant: row.tenant,
    sku: row.sku,
    title: row.title,
    description: row.description,
    price: { currency: row.currency, minorUnits: row.price_minor },
    stock: {
      available: row.available,
      reserved: row.reserved,
      sold: row.sold,
    },
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
