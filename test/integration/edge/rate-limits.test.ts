import { Code, ConnectError } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ErrorInfoSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import {
  connectToEdge,
  everyClientKind,
  type ClientKind,
} from "../../support/edge-clients.ts";
import { eventually } from "../../support/eventually.ts";
import { startRedisWorld, type RedisWorld } from "../ratelimit/redis-world.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { limitRules } from "./limit-rules.ts";
import { ORDER } from "./upstream.ts";

const RULES = limitRules({
  "orders-read":
    "{ per: [tenant, subject], algorithm: sliding-window, limit: 3, period: 1m, when_redis_away: closed }",
  "orders-watch":
    "{ per: [tenant, subject], algorithm: concurrency, limit: 2, lease: 65m, when_redis_away: closed }",
});

let redis: RedisWorld;
let world: EdgeWorld;
let names = 0;

beforeAll(async () => {
  redis = await startRedisWorld();
  world = await startEdgeWorld({
    rateLimits: {
      rules: RULES,
      redisUrl: redis.url,
      failClosed: ["payments-read"],
    },
  });
}, 60_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** The edge as one more user sees it. */
async function asSomebody(): Promise<EdgeWorld> {
  names += 1;
  const token = await world.issuer.token({ sub: `somebody-${names}` });
  return { ...world, token };
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  if (error === undefined) throw new Error("the call did not fail");
  return error;
}

function expectRefusal(
  error: ConnectError,
  seconds: readonly [number, number],
) {
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
    { reason: "RATE_LIMITED", domain: "weft.dev" },
  ]);
  const [retry] = error.findDetails(RetryInfoSchema);
  const delay = Number(retry?.retryDelay?.seconds ?? -1n);
  expect(delay).toBeGreaterThanOrEqual(seconds[0]);
  expect(delay).toBeLessThanOrEqual(seconds[1]);
}

const clients = new DisposableStack();
afterAll(() => clients.dispose());

function ordersOf(as: EdgeWorld, kind: ClientKind) {
  return clients.use(connectToEdge(as, kind)).orders;
}

describe.each(everyClientKind)("a client of %s", (kind) => {
  it("learns when to come back", async () => {
    const orders = ordersOf(await asSomebody(), kind);
    for (let call = 0; call < 3; call += 1)
      await orders.getOrder({ name: ORDER });

    const error = await failure(orders.getOrder({ name: ORDER }));

    expectRefusal(error, [50, 66]);
    expect(error.findDetails(QuotaFailureSchema)).toMatchObject([
      {
        violations: [{ subject: "orders-read/rule", description: "3 in 60 s" }],
      },
    ]);
    expect(error.metadata.get("retry-after")).toMatch(/^[56]\d$/);
  });

  it("learns it of a stream that is refused", async () => {
    const orders = ordersOf(await asSomebody(), kind);
    const stop = new AbortController();
    const open = () => {
      const stream = orders.watchOrders({}, { signal: stop.signal });
      return stream[Symbol.asyncIterator]();
    };
    const held = [open(), open()];
    for (const stream of held) await stream.next();

    const error = await failure(open().next());
    stop.abort();

    expectRefusal(error, [1, 5]);
  });
});

describe("a client of REST", () => {
  it("sees what is left on every answer, and when to come back on a refusal", async () => {
    const as = await asSomebody();
    const answers = [];
    for (let call = 0; call < 4; call += 1)
      answers.push(await send(as, { path: `/v1/${ORDER}`, version: 1 }));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    const told = answers.map(({ headers }) => String(headers["ratelimit"]));
    expect(told).toEqual(
      [2, 1, 0, 0].map((left) =>
        expect.stringMatching(`^"orders-read/rule";r=${left};t=[56]\\d$`),
      ),
    );
    expect(answers[0]?.headers["ratelimit-policy"]).toBe(
      '"orders-read/rule";q=3;w=60',
    );
    const refused = answers[3];
    // Twice in one header would be "59, 59".
    expect(refused?.headers["retry-after"]).toMatch(/^[56]\d$/);
    expect(refused?.headers["content-type"]).toBe("application/json");
    expect(refused?.json()).toMatchObject({
      code: 8,
      message: "too many requests: the limit orders-read/rule is reached",
      details: [
        {
          reason: "RATE_LIMITED",
          domain: "weft.dev",
          metadata: { limit: "orders-read/rule" },
        },
        { retryDelay: expect.stringMatching(/^[56]\d(\.\d+)?s$/) },
        { violations: [{ subject: "orders-read/rule" }] },
      ],
    });
  });
});

it("counts every way to a method as one", async () => {
  const as = await asSomebody();

  await ordersOf(as, "gRPC").getOrder({ name: ORDER });
  await send(as, { path: `/v1/${ORDER}` });
  await ordersOf(as, "gRPC-Web over HTTP/1.1").listOrders({});
  const answer = await send(as, { path: `/v1/${ORDER}` });

  expect(answer.status).toBe(429);
});

describe("a token that claims a plan", () => {
  const claimed = { sub: "paying", plan: "double" };
  const statusesOf = async (as: EdgeWorld, calls: number) => {
    const statuses = [];
    for (let call = 0; call < calls; call += 1)
      statuses.push((await send(as, { path: `/v1/${ORDER}` })).status);
    return statuses;
  };

  it("scales a limit where its issuer may say so", async () => {
    await using trusting = await startEdgeWorld({
      issuer: { claims: { plan: "plan" } },
      rateLimits: { rules: RULES, redisUrl: redis.url },
    });
    const token = await trusting.issuer.token(claimed);

    const statuses = await statusesOf({ ...trusting, token }, 7);

    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 429]);
  });

  it("changes nothing otherwise", async () => {
    const token = await world.issuer.token({ ...claimed, sub: "boasting" });

    const statuses = await statusesOf({ ...world, token }, 4);

    expect(statuses).toEqual([200, 200, 200, 429]);
  });
});

it("counts callers apart, by their tokens", async () => {
  const [one, other] = [await asSomebody(), await asSomebody()];
  for (let call = 0; call < 4; call += 1)
    await send(one, { path: `/v1/${ORDER}` });

  const answer = await send(other, { path: `/v1/${ORDER}` });

  expect(answer.status).toBe(200);
});

it("counts nothing of a caller who may not call", async () => {
  const as = await asSomebody();
  const forged = { ...as, token: as.token.replace(/\.[^.]+$/, ".AAAA") };
  for (let call = 0; call < 5; call += 1)
    expect((await send(forged, { path: `/v1/${ORDER}` })).status).toBe(401);

  expect((await send(as, { path: `/v1/${ORDER}` })).status).toBe(200);
});

it("gives a stream's place back when the stream ends, whoever ends it", async () => {
  const orders = ordersOf(await asSomebody(), "gRPC by connect-node");
  const open = async () => {
    const stop = new AbortController();
    const stream = orders.watchOrders({}, { signal: stop.signal });
    await stream[Symbol.asyncIterator]().next();
    return stop;
  };
  const first = await open();
  const second = await open();
  expectRefusal(await failure(open()), [1, 5]);

  first.abort();
  await eventually("a place is free", () =>
    open().then(
      (stop) => (stop.abort(), true),
      () => false,
    ),
  );
  second.abort();
});

it("gives each stream a place of its own, though all say that they are one request", async () => {
  const orders = ordersOf(await asSomebody(), "gRPC by connect-node");
  const stop = new AbortController();
  const headers = { "x-request-id": randomUUID() };
  const open = () => {
    const stream = orders.watchOrders({}, { signal: stop.signal, headers });
    return stream[Symbol.asyncIterator]().next();
  };
  await open();
  await open();

  const error = await failure(open());
  stop.abort();

  expectRefusal(error, [1, 5]);
});

describe("while the rate-limit service is dead", () => {
  it("lets calls of open classes pass, and refuses those of closed ones", async () => {
    await using other = await startEdgeWorld({
      rateLimits: {
        rules: RULES,
        redisUrl: redis.url,
        failClosed: ["payments-read"],
      },
    });
    await other.limiter?.kill();

    const open = [];
    for (let call = 0; call < 5; call += 1)
      open.push((await send(other, { path: `/v1/${ORDER}` })).status);
    const closed = await send(other, { path: "/v1/payments" });

    expect(open).toEqual([200, 200, 200, 200, 200]);
    expect(closed).toMatchObject({
      status: 429,
      headers: { "retry-after": "1" },
    });
    expect(closed.json()).toMatchObject({
      code: 8,
      details: [{ reason: "RATE_LIMITED" }, { retryDelay: "1s" }],
    });
  });
});

describe.each(["dead", "hung"])("while the rate-limit service is %s", (how) => {
  it("tells callers of closed classes when to come back, in any protocol", async () => {
    await using other = await startEdgeWorld({
      rateLimits: {
        rules: RULES,
        redisUrl: redis.url,
        failClosed: ["orders-read", "orders-watch"],
      },
    });
    const { limiter } = other;
    if (limiter === undefined) throw new Error("there is no limiter");
    if (how === "dead") await limiter.kill();
    else process.kill(limiter.pid, "SIGSTOP");

    const errors = await Promise.all(
      everyClientKind.flatMap((kind) => {
        const orders = ordersOf(other, kind);
        const stream = orders.watchOrders({})[Symbol.asyncIterator]();
        return [
          failure(orders.getOrder({ name: ORDER })),
          failure(stream.next()),
        ];
      }),
    );
    if (how === "hung") process.kill(limiter.pid, "SIGCONT");

    for (const error of errors) expectRefusal(error, [1, 1]);
  }, 60_000);
});

it("counts what comes from one address as one, whoever it is", async () => {
  await using other = await startEdgeWorld({
    rateLimits: {
      rules: limitRules({
        "orders-read":
          "{ per: [remote_address], when: { remote_address: 127.0.0.1 }, algorithm: fixed-window, limit: 1, period: 1d, when_redis_away: closed }",
      }),
      redisUrl: redis.url,
    },
  });
  const call = async (sub: string) => {
    const token = await other.issuer.token({ sub });
    return (await send({ ...other, token }, { path: `/v1/${ORDER}` })).status;
  };

  expect([await call("ada"), await call("bob")]).toEqual([200, 429]);
});

describe("a flood", () => {
  it("is refused before anything else is asked, in each client's own words", async () => {
    await using small = await startEdgeWorld({
      flood: { perSecond: 1_000, perAddress: 1 / 3_600 },
    });
    // Whose token would be refused, were it looked at.
    const stranger = { ...small, token: "none" };
    const first = await send(stranger, { path: "/nowhere" });
    const second = await send(stranger, { path: "/nowhere" });
    const health = await send(stranger, { path: "/healthz" });

    expect(first.status).toBe(401);
    expect(health.status).toBe(200);
    expect(second).toMatchObject({
      status: 429,
      headers: { "retry-after": "1" },
    });
    expect(second.json()).toMatchObject({
      code: 8,
      details: [{}, { retryDelay: "1s" }],
    });
    for (const kind of everyClientKind) {
      const orders = ordersOf(stranger, kind);
      const error = await failure(orders.getOrder({ name: ORDER }));
      expectRefusal(error, [1, 1]);
    }
    expect(small.upstream().calls).toEqual([]);
  });
});
