import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { holdForm, setupProvider } from "./provider-process.ts";

const INTENTS = "/v1/payment_intents";

async function setup(lateMs = 60_000) {
  const provider = await setupProvider({ lateMs });
  const hold = (token: string, signal?: AbortSignal) =>
    provider.post(INTENTS, holdForm(token), {
      key: "key",
      ...(signal && { signal }),
    });
  const types = async () => (await provider.log()).map((entry) => entry.type);
  /** A call that is given up when the provider has done so many things, and has not answered by then. */
  const givenUpAfter = async (
    done: number,
    call: (signal: AbortSignal) => Promise<unknown>,
  ) => {
    const patience = new AbortController();
    const ended = expect(call(patience.signal)).rejects.toThrow("enough");
    await eventually("it is done", async () => (await types()).length === done);
    patience.abort(new Error("enough"));
    await ended;
  };
  return { provider, hold, types, givenUpAfter };
}

test("tok_timeout does nothing and does not answer", async () => {
  const { hold, types } = await setup();

  await expect(hold("tok_timeout", AbortSignal.timeout(300))).rejects.toThrow(
    "timeout",
  );

  expect(await types()).toEqual([]);
});

test("tok_late does it at once, and answers late every time", async () => {
  const { hold, types, givenUpAfter } = await setup();

  await givenUpAfter(1, (signal) => hold("tok_late", signal));
  await expect(hold("tok_late", AbortSignal.timeout(300))).rejects.toThrow(
    "timeout",
  );

  expect(await types()).toEqual(["payment_intent.authorized"]);
});

test("tok_late answers after its delay", async () => {
  const { hold } = await setup(100);

  expect(await hold("tok_late")).toMatchObject({ status: 200 });
});

test("tok_late_once answers the second attempt at once with the stored result", async () => {
  const { hold, types, givenUpAfter } = await setup();
  await givenUpAfter(1, (signal) => hold("tok_late_once", signal));

  const second = await hold("tok_late_once");

  expect(second).toMatchObject({ status: 200, replayed: true });
  expect(await types()).toEqual(["payment_intent.authorized"]);
});

test("tok_error fails the first attempt of a key, also across a crash", async () => {
  const { provider, hold, types } = await setup();

  const first = await hold("tok_error");
  await provider.crash();
  const second = await hold("tok_error");

  expect(first.status).toBe(500);
  expect(first.json.error.type).toBe("api_error");
  expect(second).toMatchObject({ status: 200, replayed: false });
  expect(await types()).toEqual([
    "request.failed",
    "payment_intent.authorized",
  ]);
});

test.each([
  ["capture", "tok_capture_late_once", "payment_intent.captured"],
  ["cancel", "tok_cancel_late_once", "payment_intent.canceled"],
])(
  "a late %s is done when its client has given up",
  async (verb, token, type) => {
    const { provider, hold, types, givenUpAfter } = await setup();
    const { json: held } = await hold(token);
    const send = (signal?: AbortSignal) =>
      provider.post(
        `${INTENTS}/${held.id}/${verb}`,
        {},
        { key: verb, ...(signal && { signal }) },
      );

    await givenUpAfter(2, send);

    expect(await types()).toEqual(["payment_intent.authorized", type]);
    expect(await send()).toMatchObject({ status: 200, replayed: true });
  },
);
