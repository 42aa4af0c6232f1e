import { afterAll, beforeAll, expect, test } from "vitest";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { authorizeRequest, refusalOf, setupWorld } from "./payment-world.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

/** A world with five payments, oldest first. */
async function setup() {
  const world = await setupWorld(database);
  const made = Array.from({ length: 5 }, () => authorizeRequest());
  for (const { request } of made) {
    await world.order().authorize(request);
    world.pass(1);
  }
  const newestFirst = made.map(({ name }) => name).reverse();
  return { world, made, newestFirst };
}

test("lists the tenant's payments newest first, page by page", async () => {
  const { world, newestFirst } = await setup();
  const names: (string | undefined)[][] = [];

  let pageToken = "";
  do {
    const page = await world.user().listPayments({ pageSize: 2, pageToken });
    names.push(page.payments.map((payment) => payment.name));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");

  expect(names.map((page) => page.length)).toEqual([2, 2, 1]);
  expect(names.flat()).toEqual(newestFirst);
});

test("lists only the payments of an order", async () => {
  const { world, made } = await setup();
  const [, second] = made;
  const order = second?.order ?? "";

  const { payments } = await world.user().listPayments({ order });

  expect(payments.map((payment) => payment.name)).toEqual([second?.name]);
});

test("refuses a page token of another query, and a forged one", async () => {
  const { world, made } = await setup();
  const { nextPageToken } = await world.user().listPayments({ pageSize: 2 });
  const order = made[0]?.order ?? "";

  const refusals = [
    await refusalOf(
      world.user().listPayments({ order, pageToken: nextPageToken }),
    ),
    await refusalOf(world.user().listPayments({ pageToken: "Zm9yZ2Vk" })),
    await refusalOf(
      world.user("other").listPayments({ pageToken: nextPageToken }),
    ),
  ];

  for (const refusal of refusals) {
    expect(refusal.reason).toBe("PAGE_TOKEN_INVALID");
  }
});

test("shows no payment of another tenant, and moves none", async () => {
  const { world, made } = await setup();
  const name = made[0]?.name ?? "";
  const stranger = world.order("other");

  const refusals = [
    await refusalOf(world.user("other").getPayment({ name })),
    await refusalOf(stranger.capture({ name })),
    await refusalOf(stranger.refund({ name, refundId: crypto.randomUUID() })),
  ];
  const { payments } = await world.user("other").listPayments({});

  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      code: "NotFound",
      reason: "PAYMENT_NOT_FOUND",
    });
  }
  expect(payments).toEqual([]);
});

test.each(["other", "Miller's & Co"])(
  "keeps payments of two tenants apart that have the same id (%s)",
  async (other) => {
    const { world } = await setup();
    const { request, name } = authorizeRequest();
    const tenant = `${other} ${crypto.randomUUID()}`;

    const [ours, theirs] = [
      await world.order().authorize(request),
      await world.order(tenant).authorize(request),
    ];
    await world.order().capture({ name });
    const { payment } = await world.order(tenant).getPayment({ name });

    expect(theirs.payment?.providerReference).not.toBe(
      ours.payment?.providerReference,
    );
    expect(payment).toEqual(theirs.payment);
  },
);

test("lets no user move money", async () => {
  const { world, made } = await setup();
  const name = made[0]?.name ?? "";

  const refusal = await refusalOf(world.user().capture({ name }));

  expect(refusal.code).toBe("PermissionDenied");
});
