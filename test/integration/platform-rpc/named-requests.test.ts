import { randomUUID } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  test,
} from "vitest";
import { RetryInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import {
  CreateOrderResponseSchema,
  OrderService,
} from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createDatabase } from "../../../services/platform/data/database.ts";
import {
  answerKey,
  findKey,
  holdKey,
  insertAnswer,
  pruneKeys,
} from "../../../services/platform/data/idempotency-keys.ts";
import { namedRequestOf } from "../../../services/platform/rpc/named-request.ts";
import { reasonOf } from "../../../services/platform/rpc/status.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  asUser,
  claimed,
  protocols,
  setupRpc,
  type OrderImpl,
} from "./rpc-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "order" });
});
afterAll(() => database.close());

/** A server of CreateOrder that counts how often it really works. */
async function setup(
  options: { joined?: boolean; work?: OrderImpl["createOrder"] } = {},
) {
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "once test",
    maxWaiting: 500,
  });
  onTestFinished(() => db.close());
  let effects = 0;
  const work: OrderImpl["createOrder"] =
    options.work ??
    ((_request, context) => {
      const order = { name: `orders/${(effects += 1)}` };
      return options.joined
        ? db.transaction(async (tx) => {
            await namedRequestOf(context)?.answer(tx, { order });
            return { order };
          })
        : { order };
    });
  const rpc = await setupRpc(
    { createOrder: work },
    {
      once: {
        db,
        joined: options.joined ? [OrderService.method.createOrder] : [],
      },
    },
  );
  onTestFinished(() => rpc[Symbol.asyncDispose]());
  return { db, rpc, effects: () => effects };
}

function request(sku = "mug") {
  return {
    requestId: randomUUID(),
    order: { lines: [{ sku, quantity: 1 }], paymentToken: "tok_visa" },
  };
}

async function refused(call: Promise<unknown>) {
  const error = ConnectError.from(await call.catch((e: unknown) => e));
  return { error, code: error.code, reason: reasonOf(error) };
}

describe.each(protocols)("%s", (protocol) => {
  test("gets the first answer again, byte for byte and flagged", async () => {
    const { rpc, effects } = await setup();
    const client = rpc.orders(protocol);
    const named = request();
    const flags: (string | null)[] = [];
    const call = () =>
      client.createOrder(named, {
        ...asUser,
        onHeader: (header) => flags.push(header.get("idempotency-replayed")),
      });

    const first = await call();
    const again = await call();

    const bytes = [first, again].map((answer) =>
      Buffer.from(toBinary(CreateOrderResponseSchema, answer)).toString("hex"),
    );
    expect(bytes[1]).toBe(bytes[0]);
    expect(flags).toEqual([null, "true"]);
    expect(effects()).toBe(1);
  });

  test("gets a refusal of the domain again, flagged, with its details", async () => {
    let calls = 0;
    const { rpc } = await setup({
      work() {
        calls += 1;
        throw new DomainError({
          code: "failed_precondition",
          reason: "OUT_OF_STOCK",
          message: `refused for the ${calls}. time`,
          metadata: { sku: "mug" },
        });
      },
    });
    const named = request();

    const first = await refused(
      rpc.orders(protocol).createOrder(named, asUser),
    );
    const again = await refused(
      rpc.orders(protocol).createOrder(named, asUser),
    );

    expect(again).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "OUT_OF_STOCK",
    });
    expect(again.error.rawMessage).toBe(first.error.rawMessage);
    expect(again.error.metadata.get("idempotency-replayed")).toBe("true");
    expect(calls).toBe(1);
  });

  test("may name the request in the header instead", async () => {
    const { rpc, effects } = await setup();
    const { requestId, ...unnamed } = request();
    const named = (key: string) => ({
      headers: { ...asUser.headers, "idempotency-key": key },
    });
    const client = rpc.orders(protocol);

    const first = await client.createOrder(unnamed, named(requestId));
    const byField = await client.createOrder({ ...unnamed, requestId }, asUser);
    const free = `order-${requestId}`;
    await client.createOrder(unnamed, named(free));
    await client.createOrder(unnamed, named(free));
    const conflict = await refused(
      client.createOrder({ ...unnamed, requestId }, named(free)),
    );
    const unreadable = await refused(
      client.createOrder(unnamed, named("x".repeat(256))),
    );

    expect(byField).toEqual(first);
    expect(effects()).toBe(2);
    expect(conflict).toMatchObject({
      code: Code.InvalidArgument,
      reason: "IDEMPOTENCY_KEY_CONFLICT",
    });
    expect(unreadable.reason).toBe("IDEMPOTENCY_KEY_INVALID");
  });
});

test.each([true, false])(
  "takes effect once of 100 at once, the others are replayed or told to come back (joined: %s)",
  async (joined) => {
    const { rpc, effects } = await setup({ joined });
    const client = rpc.orders("gRPC");
    const named = request();

    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, () => client.createOrder(named, asUser)),
    );
    const after = await client.createOrder(named, asUser);

    const answers = outcomes.flatMap((outcome) =>
      outcome.status === "fulfilled" ? [outcome.value] : [],
    );
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      const error = ConnectError.from(outcome.reason);
      // A busy machine has no connection for the last of them within the time that a request may wait for one.
      expect([Code.Aborted, Code.ResourceExhausted]).toContain(error.code);
      const [retry] = error.findDetails(RetryInfoSchema);
      expect(retry?.retryDelay).toBeDefined();
    }
    expect(answers.length).toBeGreaterThan(0);
    for (const answer of answers) expect(answer).toEqual(after);
    // In a transaction of its own each may have worked, and only one of them committed.
    if (!joined) expect(effects()).toBe(1);
  },
);

test("refuses every other body of the same name, and every other user's", async () => {
  const { rpc, effects } = await setup();
  const client = rpc.orders("gRPC");
  const named = request();
  await client.createOrder(named, asUser);

  const others = [
    { ...named, wait: true },
    { ...named, order: { ...named.order, paymentToken: "tok_other" } },
    { ...named, order: { ...named.order, lines: [{ sku: "m", quantity: 1 }] } },
  ];
  const refusals = await Promise.all([
    ...others.map((other) => refused(client.createOrder(other, asUser))),
    refused(
      client.createOrder(named, claimedBy("eve", "orders:read orders:write")),
    ),
  ]);

  expect(refusals.map(({ reason }) => reason)).toEqual(
    refusals.map(() => "REQUEST_ID_REUSED"),
  );
  expect(effects()).toBe(1);
});

test("is another request in another tenant", async () => {
  const { rpc, effects } = await setup();
  const named = request();

  await rpc.orders("gRPC").createOrder(named, asUser);
  await rpc
    .orders("gRPC")
    .createOrder(named, claimedBy("ada", "orders:write", "another"));

  expect(effects()).toBe(2);
});

test("does not store what may pass, and goes on where it ended", async () => {
  const seen: (boolean | undefined)[] = [];
  const { rpc } = await setup({
    work(_request, context) {
      seen.push(namedRequestOf(context)?.isResumed);
      if (seen.length > 1) return { order: { name: "orders/1" } };
      throw new DomainError({
        code: "resource_exhausted",
        reason: "OVERLOADED",
        message: "not now",
      });
    },
  });
  const named = request();

  const first = await refused(rpc.orders("gRPC").createOrder(named, asUser));
  const second = await rpc.orders("gRPC").createOrder(named, asUser);

  expect(first.code).toBe(Code.ResourceExhausted);
  expect(second.order?.name).toBe("orders/1");
  expect(seen).toEqual([false, true]);
});

test("does not remember a request that breaks its contract", async () => {
  const { rpc } = await setup();
  const named = request();

  const first = await refused(
    rpc.orders("gRPC").createOrder({ ...named, order: {} }, asUser),
  );
  const second = await rpc.orders("gRPC").createOrder(named, asUser);

  expect(first.reason).toBe("INVALID_FIELD");
  expect(second.order?.name).toBe("orders/1");
});

test("a key whose holder died is taken over, and the dead one's answer is refused", async () => {
  const { db } = await setup();
  const named = { ...keyOf(randomUUID()) };
  const answer = { status: 0, answer: Buffer.from("answer") };

  const first = await holdKey(db, named, 0);
  const second = await holdKey(db, named, 60_000);
  const third = await holdKey(db, named, 60_000);
  const late = await answerKey(db, named, 1, answer);
  const right = await answerKey(db, named, 2, answer);

  expect([first, second, third]).toEqual([1, 2, undefined]);
  expect([late, right]).toEqual([false, true]);
  expect(await findKey(db, named)).toMatchObject(answer);
});

test("a dead holder's key is not given to another request", async () => {
  const { db } = await setup();
  const named = keyOf(randomUUID());
  await holdKey(db, named, 0);

  const other = await holdKey(db, { ...named, hash: Buffer.of(2) }, 60_000);

  expect(other).toBeUndefined();
});

test("keys are forgotten after their time, in batches, but none that is held", async () => {
  const { db } = await setup();
  await db.query("delete from idempotency_keys");
  const answer = { status: 0, answer: Buffer.from("answer") };
  for (let n = 0; n < 3; n += 1) {
    await insertAnswer(db, keyOf(randomUUID()), answer);
  }
  await holdKey(db, keyOf(randomUUID()), 60_000);
  const young = await pruneKeys(db, 3_600_000, 10);

  const batches = [
    await pruneKeys(db, -1_000, 2),
    await pruneKeys(db, -1_000, 2),
  ];

  expect(young).toBe(0);
  expect(batches).toEqual([2, 1]);
});

function keyOf(key: string) {
  return { tenant: "acme", operation: "Test", key, hash: Buffer.of(1) };
}

function claimedBy(sub: string, scope: string, tenant = "acme") {
  const { headers } = claimed(scope);
  const claims = JSON.stringify({ sub, tenant, scope });
  return {
    headers: {
      ...headers,
      "x-weft-claims": Buffer.from(claims).toString("base64url"),
    },
  };
}
