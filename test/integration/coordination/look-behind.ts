import { expect } from "vitest";
import type { World } from "./coordination-world.ts";

/** What an order of one of ten units at 10 EUR leaves that completed: it is sold once and charged once. */
export async function expectSold(
  world: World,
  name: string,
  sku: string,
): Promise<void> {
  expect(await stockOf(world, sku)).toEqual([9, 0, 1]);
  expect(await world.moneyOf(name)).toMatchObject({
    authorizations: 1,
    captures: 1,
    held: 0,
  });
  expect(await inDoubt(world)).toEqual([]);
}

/** What an order leaves that came to nothing: all ten units, and no money. */
export async function expectNothingHeld(
  world: World,
  name: string,
  sku: string,
): Promise<void> {
  expect(await stockOf(world, sku)).toEqual([10, 0, 0]);
  const { held, captures } = await world.moneyOf(name);
  expect({ held, captures }).toEqual({ held: 0, captures: 0 });
  expect(await inDoubt(world)).toEqual([]);
}

/** A product's units as `[available, reserved, sold]`. */
export async function stockOf(world: World, sku: string): Promise<number[]> {
  const { product } = await world.inventory.getProduct({
    name: `products/${sku}`,
  });
  const stock = product?.stock;
  return [stock?.available, stock?.reserved, stock?.sold].map(Number);
}

/** Prepared transactions that wait for a decision. */
export async function inDoubt(world: World): Promise<string[]> {
  const rows = await world.administer<{ gid: string }>(
    "select gid from pg_prepared_xacts order by gid",
  );
  return rows.map(({ gid }) => gid);
}
