import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { UInt64ValueSchema } from "@bufbuild/protobuf/wkt";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { RateLimitDescriptorSchema } from "../../../gen/ts/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts";
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
} from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { RateLimitUnit } from "../../../gen/ts/envoy/type/v3/ratelimit_unit_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  rulesText,
  startLimiterWorld,
  type LimiterWorld,
} from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
let world: LimiterWorld;
let names = 0;
const newName = () => `subject-${(names += 1)}`;

const RULES = rulesText(
  `subject: { per: [tenant, subject], algorithm: sliding-window, limit: 5, period: 1h, when_redis_away: closed },
   address: { per: [remote_address], algorithm: gcra, limit: 100000, period: 1m, when_redis_away: open },
   dark: { per: [subject], algorithm: fixed-window, limit: 1, period: 1h, shadow: true, when_redis_away: open }`,
  `open: { per: [subject], algorithm: concurrency, limit: 2, lease: 1m, when_redis_away: open }`,
  `overrides: [{ rule: orders-read/subject, tenant: big, limit: 50 }]`,
);

beforeAll(async () => {
  redis = await startRedisWorld();
  world = await startLimiterWorld({ redisUrl: redis.url, rules: RULES });
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

async function passing(count: number, entries: Record<string, string>) {
  const answers = await Promise.all(
    Array.from({ length: count }, () => world.passes(entries)),
  );
  return answers.filter(Boolean).length;
}

it("lets exactly the limit pass, whatever a hundred clients do at once", async () => {
  const subject = newName();

  expect(await passing(100, { subject })).toBe(5);
});

it("counts each subject of each tenant by itself", async () => {
  const subject = newName();

  expect(await passing(10, { subject, tenant: "a" })).toBe(5);
  expect(await passing(10, { subject, tenant: "b" })).toBe(5);
  expect(await passing(60, { subject, tenant: "big" })).toBe(50);
  expect(await passing(20, { subject, tenant: "c", plan: "pro" })).toBe(10);
});

it("refuses nobody by the numbers of another who shares the count", async () => {
  await using office = await startLimiterWorld({
    redisUrl: redis.url,
    rules: rulesText(
      `address: { per: [remote_address], algorithm: fixed-window, limit: 3, period: 1d, when_redis_away: closed }`,
    ),
  });
  const passes = (plan: string) =>
    office.passes({ remote_address: "192.0.2.1", plan });
  const answers = async (...plans: string[]) => {
    const given = [];
    for (const plan of plans) given.push(await passes(plan));
    return given;
  };

  expect(await answers("free", "free", "free", "free")).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(await answers("pro", "pro", "free", "pro", "pro")).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
});

it("tells two subjects apart that are written alike", async () => {
  const name = newName();

  expect(await passing(9, { tenant: name, subject: "b subject=c" })).toBe(5);
  expect(await passing(9, { tenant: `${name} subject=b`, subject: "c" })).toBe(
    5,
  );
});

it("takes nothing of any descriptor when one of them refuses", async () => {
  const [full, fresh] = [newName(), newName()];
  await passing(5, { subject: full });
  const descriptor = (subject: string) => ({
    rate_class: "orders-read",
    subject,
  });

  const refused = await world.ask([descriptor(fresh), descriptor(full)]);

  expect(refused.overallCode).toBe(Code.OVER_LIMIT);
  expect(refused.statuses.map(({ code }) => code)).toEqual([
    Code.OK,
    Code.OVER_LIMIT,
  ]);
  expect(await passing(10, { subject: fresh })).toBe(5);
});

it("takes as many hits as the request says, and for a descriptor what it says itself", async () => {
  const [first, second] = [newName(), newName()];
  const entries = (subject: string) => ({ rate_class: "orders-read", subject });

  await world.ask([entries(first)], 3);
  const request = create(RateLimitRequestSchema, {
    domain: "test",
    hitsAddend: 1,
    descriptors: [
      {
        entries: Object.entries(entries(second)).map(([key, value]) => ({
          key,
          value,
        })),
      },
    ],
  });
  // hits_addend of a descriptor, which the contract that we generate from does not know yet.
  const bytes = new BinaryWriter();
  bytes.tag(1, WireType.LengthDelimited).string("test");
  const [descriptor] = request.descriptors;
  if (descriptor === undefined) throw new Error("no descriptor");
  const inner = new BinaryWriter();
  inner.raw(toBinary(RateLimitDescriptorSchema, descriptor));
  inner
    .tag(3, WireType.LengthDelimited)
    .bytes(
      toBinary(UInt64ValueSchema, create(UInt64ValueSchema, { value: 4n })),
    );
  bytes.tag(2, WireType.LengthDelimited).bytes(inner.finish());
  bytes.tag(3, WireType.Varint).uint32(1);
  const answer = await world.send("edge", Buffer.from(bytes.finish()));

  expect(fromBinary(RateLimitResponseSchema, answer).overallCode).toBe(Code.OK);
  expect(await passing(10, { subject: first })).toBe(2);
  expect(await passing(10, { subject: second })).toBe(1);
});

it("adds the hits of two descriptors that share a count", async () => {
  const entries = { rate_class: "orders-read", subject: newName() };

  const answer = await world.ask([entries, entries], 3);

  expect(answer.overallCode).toBe(Code.OVER_LIMIT);
  expect(await passing(10, entries)).toBe(5);
});

it("takes the numbers that a descriptor brings along", async () => {
  const subject = newName();
  const request = create(RateLimitRequestSchema, {
    domain: "test",
    descriptors: [
      {
        entries: [
          { key: "rate_class", value: "orders-read" },
          { key: "subject", value: subject },
        ],
        limit: { requestsPerUnit: 2, unit: RateLimitUnit.MINUTE },
      },
    ],
  });
  const bytes = Buffer.from(toBinary(RateLimitRequestSchema, request));

  const answers = [];
  for (let call = 0; call < 3; call += 1) {
    const answer = await world.send("edge", bytes);
    answers.push(fromBinary(RateLimitResponseSchema, answer).overallCode);
  }

  expect(answers).toEqual([Code.OK, Code.OK, Code.OVER_LIMIT]);
});

it("tells the limit, what remains and when, on every answer", async () => {
  const subject = newName();

  const answer = await world.ask([{ rate_class: "orders-read", subject }]);

  const headers = Object.fromEntries(
    answer.responseHeadersToAdd.map(({ key, value }) => [key, value]),
  );
  expect(headers).toMatchObject({
    "ratelimit-policy": '"orders-read/subject";q=5;w=3600',
  });
  expect(headers["ratelimit"]).toMatch(
    /^"orders-read\/subject";r=4;t=3[67]\d\d$/,
  );
  expect(headers["retry-after"]).toBeUndefined();
  expect(answer.statuses).toMatchObject([
    {
      code: Code.OK,
      currentLimit: {
        name: "orders-read/subject",
        requestsPerUnit: 5,
        unit: Unit.HOUR,
      },
      limitRemaining: 4,
    },
  ]);
});

it("decides by a limit that a plan scales beyond what an answer can tell", async () => {
  await using generous = await startLimiterWorld({
    redisUrl: redis.url,
    rules: rulesText(
      `subject: { per: [subject], algorithm: fixed-window, limit: 1000000000, period: 1d, when_redis_away: closed }`,
    ).replace("scale: 2", "scale: 5"),
  });
  const entries = {
    rate_class: "orders-read",
    subject: newName(),
    plan: "pro",
  };

  const allowed = await generous.ask([entries]);
  const refused = await generous.ask(Array(6).fill(entries), 1e9);

  expect(allowed).toMatchObject({
    overallCode: Code.OK,
    statuses: [{ limitRemaining: 0xffff_ffff }],
  });
  expect(refused).toMatchObject({
    overallCode: Code.OVER_LIMIT,
    statuses: Array(6).fill({
      currentLimit: { requestsPerUnit: 0xffff_ffff },
    }),
  });
});

it("tells a refused client when to come back, in every shape", async () => {
  const subject = newName();
  await passing(5, { subject });

  const answer = await world.ask([{ rate_class: "orders-read", subject }]);

  const retryAfter = answer.responseHeadersToAdd.find(
    ({ key }) => key === "retry-after",
  );
  expect(Number(retryAfter?.value)).toBeGreaterThan(3_000);
  const rest: unknown = JSON.parse(Buffer.from(answer.rawBody).toString());
  expect(rest).toMatchObject({
    code: 8,
    details: [
      { reason: "RATE_LIMITED", metadata: { limit: "orders-read/subject" } },
      { retryDelay: expect.stringMatching(/^3\d{3}(\.\d+)?s$/) },
      {
        violations: [
          { subject: "orders-read/subject", description: "5 in 3600 s" },
        ],
      },
    ],
  });
  expect(answer.dynamicMetadata).toMatchObject({
    grpc: expect.any(String),
    connect: expect.stringContaining('"code":"resource_exhausted"'),
    rest: Buffer.from(answer.rawBody).toString(),
  });
  expect(answer.dynamicMetadata?.["connect_end"]).toHaveLength(2_048);
});

it("refuses nobody by a rule in shadow", async () => {
  // `dark` has room for one.
  expect(await passing(3, { subject: newName() })).toBe(3);
});

it("says once that an edge asks of a domain that it has no rules for", async () => {
  const error = vi.fn();
  await using other = await startLimiterWorld({
    redisUrl: redis.url,
    rules: RULES.replace("domain: test", "domain: tset"),
    logger: { ...silentLogger, error },
  });

  const answers = [await other.passes(), await other.passes()];

  expect(answers).toEqual([true, true]);
  expect(error.mock.calls).toEqual([
    [
      { asked: "test", domain: "tset" },
      "an edge asks of another domain, which has no limits",
    ],
  ]);
});

it("limits nothing of a class that it has no rules for", async () => {
  const answer = await world.ask([{ generic_key: "anything" }]);

  expect(answer).toMatchObject({
    overallCode: Code.OK,
    statuses: [{ code: Code.OK }],
  });
});

it("lends so many streams at once, and lends again what an ended stream gives back", async () => {
  const subject = newName();
  const opens = async (request_id: string) =>
    (await world.ask([{ rate_class: "orders-watch", subject, request_id }]))
      .overallCode === Code.OK;
  const ends = (request_id: string) =>
    world.ask([
      { rate_class: "orders-watch", subject, request_id, release: "stream" },
    ]);

  expect([await opens("a"), await opens("b"), await opens("c")]).toEqual([
    true,
    true,
    false,
  ]);
  await ends("a");
  expect([await opens("c"), await opens("d")]).toEqual([true, false]);
});

it("tells whoever finds every place taken to come back in seconds: any stream may end before its lease", async () => {
  const subject = newName();
  const opens = (request_id: string) =>
    world.ask([{ rate_class: "orders-watch", subject, request_id }]);
  await Promise.all([opens("a"), opens("b")]);

  const answer = await opens("c");

  expect(answer.overallCode).toBe(Code.OVER_LIMIT);
  expect(answer.statuses).toMatchObject([
    { durationUntilReset: { seconds: 5n, nanos: 0 } },
  ]);
  const told = answer.responseHeadersToAdd.map(({ key, value }) => [
    key,
    value,
  ]);
  expect(told).toContainEqual(["ratelimit", '"orders-watch/open";r=0;t=5']);
  expect(told).toContainEqual(["retry-after", "5"]);
  expect(JSON.parse(Buffer.from(answer.rawBody).toString())).toMatchObject({
    details: [{}, { retryDelay: "5s" }, {}],
  });
});

it("answers the edge and no other service", async () => {
  const bytes = toBinary(
    RateLimitRequestSchema,
    create(RateLimitRequestSchema),
  );

  const call = world.send("order", Buffer.from(bytes));

  await expect(call).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
});

it("refuses bytes that are no request", async () => {
  const call = world.send("edge", Buffer.from([0xff, 0xff]));

  await expect(call).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

it("keeps no subject's name in Redis, and no count without an end", async () => {
  const subject = newName();
  await world.passes({ subject, tenant: "acme-secret" });

  const keys = await redis.redis.keys("*");

  expect(keys.length).toBeGreaterThan(0);
  expect(keys.filter((key) => /subject-|acme-secret/.test(key))).toEqual([]);
  for (const key of keys) {
    expect(key).toMatch(/^weft:rl:\{test\}:/);
    // -1 is a key without an end; one that ended meanwhile is -2.
    expect(await redis.redis.pttl(key)).not.toBe(-1);
  }
});

it("goes on with the rules of a changed file, and with the last good ones after a faulty one", async () => {
  const subject = newName();
  expect(await passing(10, { subject })).toBe(5);

  await world.writeRules(RULES.replace("limit: 5,", "limit: 8,"));
  await eventually(
    "the limit is 8",
    async () => (await passing(1, { subject })) === 1,
  );
  await passing(10, { subject });
  expect(await passing(10, { subject: `${subject}-new` })).toBe(8);

  await world.writeRules(RULES.replace("limit: 5,", "limit: none,"));
  await world.writeRules(RULES.replace("limit: 5,", "limit: nil,"));
  expect(await passing(10, { subject: `${subject}-newer` })).toBe(8);

  await world.writeRules(RULES);
  await eventually(
    "the limit is 5",
    async () => (await passing(10, { subject: newName() })) === 5,
  );
});
