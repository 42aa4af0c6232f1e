import { afterAll, beforeAll, expect, test } from "vitest";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { refusalOf, setupWorld, type World } from "./inventory-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
});
afterAll(() => database.close());

const setup = () => setupWorld(database);

test("lists every product once, by SKU, page after page", async () => {
  const world = setup();
  // Dashes and digits sort apart from letters in most languages, not in bytes.
  const skus = ["a-b", "a1", "ab", "b", "a", "a-1", "1a"];
  for (const sku of skus) await world.addProduct(1, { sku });

  const pages = await allPages(world, 3);

  expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
  expect(pages.flat()).toEqual(skus.toSorted());
});

test("gives no token for a next page that would be empty", async () => {
  const world = setup();
  for (const sku of ["a", "b"]) await world.addProduct(1, { sku });

  const page = await world.user().listProducts({ pageSize: 2 });

  expect(page.products).toHaveLength(2);
  expect(page.nextPageToken).toBe("");
});

test("refuses a page token that is made up or of another tenant", async () => {
  const world = setup();
  for (const sku of ["a", "b"]) await world.addProduct(1, { sku });
  const page = await world.user().listProducts({ pageSize: 1 });
  const stranger = world.user(`${world.tenant}-other`);

  const refusals = [
    await refusalOf(world.user().listProducts({ pageToken: "bWFkZSB1cA" })),
    await refusalOf(stranger.listProducts({ pageToken: page.nextPageToken })),
  ];

  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      code: "InvalidArgument",
      reason: "PAGE_TOKEN_INVALID",
    });
  }
});

test("gets several products in the order of the request, also one twice", async () => {
  const world = setup();
  for (const sku of ["a", "b", "c"]) await world.addProduct(1, { sku });
  const names = ["products/c", "products/a", "products/c"];

  const { products } = await world.order().batchGetProducts({ names });

  expect(products.map((product) => product.name)).toEqual(names);
});

test("gets none of several products when one does not exist", async () => {
  const world = setup();
  const sku = await world.addProduct(5);

  const refusal = await refusalOf(
    world
      .order()
      .batchGetProducts({ names: [`products/${sku}`, "products/no-such"] }),
  );

  expect(refusal).toEqual({
    code: "NotFound",
    reason: "PRODUCT_NOT_FOUND",
    metadata: { sku: "no-such" },
  });
});

async function allPages(world: World, pageSize: number): Promise<string[][]> {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = await world.user().listProducts({ pageSize, pageToken });
    pages.push(page.products.map((product) => product.sku));
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && pages.length < 20);
  return pages;
}
