import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { holdForm, setupProvider, tearLastLine } from "./provider-process.ts";

const INTENTS = "/v1/payment_intents";

async function setup() {
  const provider = await setupProvider();
  const hold = (token: string, key: string) =>
    provider.post(INTENTS, holdForm(token), { key });
  return { provider, hold };
}

test("replays the first answer byte for byte", async () => {
  const { provider, hold } = await setup();

  const first = await hold("tok_visa", "key");
  const second = await hold("tok_visa", "key");

  expect(first).toMatchObject({ status: 200, replayed: false });
  expect(second).toMatchObject({ status: 200, replayed: true });
  expect(second.text).toBe(first.text);
  expect(await provider.log()).toHaveLength(1);
});

test("replays a declined card too", async () => {
  const { hold } = await setup();

  const first = await hold("tok_declined", "key");
  const second = await hold("tok_declined", "key");

  expect(first.status).toBe(402);
  expect(first.json.error).toMatchObject({
    type: "card_error",
    code: "card_declined",
    decline_code: "insufficient_funds",
  });
  expect(second).toMatchObject({ replayed: true, text: first.text });
});

test("refuses a key that was used with another body", async () => {
  const { provider, hold } = await setup();
  await hold("tok_visa", "key");

  const other = { ...holdForm("tok_visa"), amount: "1001" };
  const refused = await provider.post(INTENTS, other, { key: "key" });

  expect(refused.status).toBe(400);
  expect(refused.json.error.type).toBe("idempotency_error");
});

test("makes one charge of many equal requests at once, and answers 409 to those in between", async () => {
  const { provider, hold } = await setup();

  const replies = await Promise.all(
    Array.from({ length: 20 }, () => hold("tok_slow", "key")),
  );

  const statuses = new Set(replies.map((reply) => reply.status));
  expect(statuses).toEqual(new Set([200, 409]));
  expect(await provider.log()).toHaveLength(1);
});

test("loses nothing that it answered when it is killed in the middle of its work", async () => {
  const { provider, hold } = await setup();
  const answered = new Map<string, string>();
  // Each client goes on until the provider is killed in front of it.
  const client = async (name: number) => {
    for (let count = 0; ; count += 1) {
      const key = `key-${name}-${count}`;
      const { text } = await hold("tok_visa", key);
      answered.set(key, text);
    }
  };
  const clients = Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => client(index)),
  );

  await eventually("it is at work", () => answered.size > 40);
  await provider.crash(async () => void (await clients));
  const replays = await Promise.all(
    [...answered.keys()].map((key) => hold("tok_visa", key)),
  );

  expect(replays.map((reply) => reply.text)).toEqual([...answered.values()]);
  expect(replays.every((reply) => reply.replayed)).toBe(true);
});

test("drops the line that a crash cut short, and goes on behind the last whole one", async () => {
  const { provider, hold } = await setup();
  const whole = await hold("tok_visa", "whole");
  await hold("tok_visa", "torn");

  await provider.crash(() => tearLastLine(provider.journalFile));
  const kept = await hold("tok_visa", "whole");
  const done = await hold("tok_visa", "torn");

  expect(kept).toMatchObject({ replayed: true, text: whole.text });
  expect(done.replayed).toBe(false);
  const keys = (await provider.log()).map((entry) => entry.idempotency?.key);
  expect(keys).toEqual(["whole", "torn"]);
});
