import { expect, test } from "vitest";
import { holdForm, setupProvider } from "./provider-process.ts";

const INTENTS = "/v1/payment_intents";

async function setup() {
  const provider = await setupProvider();
  const { json: held } = await provider.post(INTENTS, holdForm("tok_visa"));
  const path = `${INTENTS}/${held.id}`;
  const refund = (amount?: string) =>
    provider.post("/v1/refunds", {
      payment_intent: held.id,
      ...(amount && { amount }),
    });
  return { provider, held, path, refund };
}

test("takes a part of a hold and lets the rest go", async () => {
  const { provider, held, path } = await setup();

  const taken = await provider.post(`${path}/capture`, {
    amount_to_capture: "600",
  });
  const again = await provider.post(`${path}/capture`, {});
  const canceled = await provider.post(`${path}/cancel`, {});

  expect(held.status).toBe("requires_capture");
  expect(taken.json).toMatchObject({
    status: "succeeded",
    amount_received: 600,
  });
  for (const refused of [again, canceled]) {
    expect(refused.status).toBe(400);
    expect(refused.json.error.code).toBe("payment_intent_unexpected_state");
  }
});

test("refuses to take more than is held", async () => {
  const { provider, path } = await setup();

  const refused = await provider.post(`${path}/capture`, {
    amount_to_capture: "1001",
  });

  expect(refused.json.error).toMatchObject({
    code: "amount_too_large",
    param: "amount_to_capture",
  });
});

test("gives back in parts, and never more than was taken", async () => {
  const { provider, path, refund } = await setup();
  await provider.post(`${path}/capture`, {});

  const replies = [
    await refund("300"),
    await refund("701"),
    await refund(),
    await refund(),
  ];

  expect(replies.map((reply) => reply.status)).toEqual([200, 400, 200, 400]);
  expect(replies.map((reply) => reply.json.amount)).toEqual([
    300,
    undefined,
    700,
    undefined,
  ]);
  expect((await provider.get(path)).json.amount_refunded).toBe(1000);
});

test("finds an intent by its metadata, and only that one", async () => {
  const { provider, held } = await setup();
  await provider.post(INTENTS, holdForm("tok_slow"));

  const find = (id: string) => {
    const query = `metadata['payment_id']:'${id}'`;
    return provider.get(`${INTENTS}/search?query=${encodeURIComponent(query)}`);
  };
  const found = await find("payment-of-tok_visa");
  const nothing = await find("payment-of-nobody");

  expect(found.json.data.map((each) => each.id)).toEqual([held.id]);
  expect(nothing.json.data).toEqual([]);
});

test.each([
  ["no amount", { amount: "" }, "amount"],
  ["a fraction", { amount: "10.5" }, "amount"],
  ["a negative amount", { amount: "-5" }, "amount"],
  ["an unknown token", { payment_method: "tok_nobody" }, "payment_method"],
  ["an automatic capture", { capture_method: "automatic" }, "capture_method"],
])("refuses %s", async (_what, fault, param) => {
  const { provider } = await setup();

  const reply = await provider.post(INTENTS, {
    ...holdForm("tok_visa"),
    ...fault,
  });

  expect(reply.status).toBe(400);
  expect(reply.json.error).toMatchObject({
    type: "invalid_request_error",
    param,
  });
  expect(await provider.log()).toHaveLength(1);
});

test("refuses a body of more than 64 KiB", async () => {
  const { provider } = await setup();

  const reply = await provider.post(INTENTS, { amount: "1".repeat(70_000) });

  expect(reply.status).toBe(413);
});
