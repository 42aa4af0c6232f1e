import { inject, expect, it } from "vitest";
import { auditMesh } from "../support/mesh-audit.ts";
import { openShop } from "../support/mesh-shop.ts";

/** One of each fate. The audit runs once more when all tests have ended. */
const TOKENS = [
  "tok_visa",
  "tok_declined",
  "tok_slow",
  "tok_error",
  "tok_late_once",
  "tok_capture_late_once",
];

it("keeps books that balance, whatever the payment provider does", async () => {
  using shop = await openShop("gRPC", 24n);

  await Promise.all(
    [...TOKENS, ...TOKENS].map((token) =>
      shop.client.orders.createOrder(shop.order(2, token)),
    ),
  );

  await auditMesh(inject("mesh"));
  expect(await shop.stock()).toEqual({
    available: 4n,
    reserved: 0n,
    sold: 20n,
  });
});
