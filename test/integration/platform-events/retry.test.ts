import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toRecord } from "../../../services/platform/events/cloud-event.ts";
import { toRedriveRecord } from "../../../services/platform/events/retry-topic.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import {
  event,
  LASTING_DELAYS_MS,
  setupConsumers,
  TOPIC,
  type World,
} from "./consumer-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

describe("a consumer whose handler fails", () => {
  it("keeps the order of the key through the retry, while other keys of its partition go on", async () => {
    await using world = await setupConsumers(database.url);
    let mended = false;
    world.start({
      handlers: [
        world.handler((value) => {
          if (value === "a 0" && !mended) throw new Error("not yet");
        }),
      ],
      retry: {
        inPlaceAttempts: 2,
        baseMs: 20,
        delaysMs: LASTING_DELAYS_MS,
      },
    });

    await world.publish(
      ...["a 0", "a 1", "a 2"].map((value) => event("a", value)),
    );
    // Of 12 other keys over 3 partitions some share that of "a".
    const others = Array.from({ length: 12 }, (_, n) => `key-${n}`);
    await world.publish(...others.map((key) => event(key, key)));
    await world.until("others go on", (effects) => effects.length === 12);
    await world.publish(event("a", "a 3"));
    await eventually(
      "the later ones are parked",
      async () => (await parked(world)) === 4,
    );
    mended = true;

    await world.until("all are in", (effects) => effects.length === 16);
    const ofKey = (await world.effects()).filter((value) =>
      value.startsWith("a "),
    );
    expect(ofKey).toEqual(["a 0", "a 1", "a 2", "a 3"]);
    await eventually(
      "nothing is left parked",
      async () => (await parked(world)) === 0,
    );
    await world.publish(event("a", "a 4"));
    await world.until("the key is free again", (effects) =>
      effects.includes("a 4"),
    );
  });

  it("gives an event that had its effect no second one, though it comes again while its key waits", async () => {
    await using world = await setupConsumers(database.url);
    let mended = false;
    world.start({
      handlers: [
        world.handler((value) => {
          if (value === "fails" && !mended) throw new Error("not yet");
        }),
      ],
      retry: { inPlaceAttempts: 1, delaysMs: LASTING_DELAYS_MS },
    });
    const twice = event("a", "twice");
    await world.publish(twice);
    await world.until("it had its effect", (effects) => effects.length === 1);

    await world.publish(event("a", "fails"), twice);
    await eventually(
      "it is parked behind the one that fails",
      async () => (await parked(world)) === 2,
    );
    mended = true;
    await eventually(
      "nothing is left parked",
      async () => (await parked(world)) === 0,
    );

    expect(await world.effects()).toEqual(["twice", "fails"]);
  });

  it("gives the event up after its rounds, with its provenance, and its key goes on", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    const tries: number[] = [];
    world.start({
      handlers: [
        world.handler((value) => {
          if (value !== "bad") return;
          tries.push(Date.now());
          throw new TypeError("a fault in the handler");
        }),
      ],
      // Longer than a busy machine takes for a round by itself.
      retry: { inPlaceAttempts: 2, baseMs: 20, delaysMs: [300, 3_000] },
    });

    await world.publish(
      event("a", "bad"),
      event("a", "good"),
      event("a", "better"),
    );

    await world.until("the later ones are in", (effects) =>
      effects.includes("better"),
    );
    await eventually("the dead letter is there", () => deadLetters.length > 0);
    expect(await world.effects()).toEqual(["good", "better"]);
    // Two in place, one after each of two retry topics, each not before it is due.
    expect(tries).toHaveLength(4);
    expect((tries[2] ?? 0) - (tries[1] ?? 0)).toBeGreaterThanOrEqual(300);
    expect((tries[3] ?? 0) - (tries[2] ?? 0)).toBeGreaterThanOrEqual(3_000);
    expect(deadLetters[0]?.headers).toMatchObject({
      dlt_original_topic: TOPIC,
      dlt_original_offset: "0",
      dlt_original_key: "a",
      dlt_group: "test",
      dlt_attempts: "4",
      dlt_error: "TypeError: a fault in the handler",
      dlt_error_reason: "HANDLER_FAILED",
    });
    expect(headerTime(deadLetters[0], "dlt_last_failure_time")).toBeGreaterThan(
      headerTime(deadLetters[0], "dlt_first_failure_time"),
    );
    expect(deadLetters[0]?.headers).not.toHaveProperty("retry_due_time");
  });

  it("lets no poison stop the good ones, whatever it is made of", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    world.start({
      handlers: [
        world.handler((value) => {
          if (value.startsWith("bad")) throw new Error(value);
        }),
      ],
    });
    const good = toRecord({ ...event("a", "x"), source: "/weft/test" }, {});
    const poison = [
      { ...good, value: Buffer.from([0xff, 0xff]) },
      { ...good, headers: {} },
      { ...good, headers: { ...good.headers, ce_id: "a\0b" } },
      { ...good, headers: { ...good.headers, ce_id: "x".repeat(10_000) } },
      {
        ...good,
        headers: { ...good.headers, ce_type: "google.protobuf.Nothing" },
      },
      { ...good, headers: { ...good.headers, ce_time: "soon" } },
      // It fails, and can't be parked: Postgres takes no NUL in json.
      {
        ...toRecord({ ...event("a", "bad"), source: "/weft/test" }, {}),
        headers: {
          ...toRecord({ ...event("a", "bad"), source: "/weft/test" }, {})
            .headers,
          odd: "\0",
        },
      },
    ];

    await world.bus.produce(poison);
    await world.publish(event("a", "good"));

    await world.until("the good one is in", (effects) =>
      effects.includes("good"),
    );
    await eventually(
      "all poison is a dead letter",
      () => deadLetters.length === poison.length,
    );
    expect(
      deadLetters.map(({ headers }) => headers["dlt_error_reason"]),
    ).toContain("UNKNOWN_EVENT_TYPE");
  });

  it("waits for its place in retry while somebody else holds it", async () => {
    const url = new URL(database.url);
    url.searchParams.set("options", "-c lock_timeout=50ms");
    await using world = await setupConsumers(url.href);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    let failed = 0;
    world.start({
      handlers: [
        world.handler(() => {
          failed += 1;
          if (failed <= 2) throw new Error("not yet");
        }),
      ],
      retry: { inPlaceAttempts: 1, delaysMs: [50, 50, 50] },
    });
    await using holder = await holdKey("a");

    await world.publish(event("a", "held"));
    await eventually("it could not be stored", () => failed === 2);
    await holder[Symbol.asyncDispose]();

    await world.until("it is in", (effects) => effects.length === 1);
    expect(deadLetters).toEqual([]);
    expect(await parked(world)).toBe(0);
  });

  it("loses no event that fails just when the one that its key waited for is settled", async () => {
    await using world = await setupConsumers(database.url);
    const late = event("a", "late");
    const first = Promise.withResolvers<{ settle(): Promise<void> }>();
    let tries = 0;
    world.start({
      handlers: [
        world.handler(async () => {
          tries += 1;
          if (tries > 1) return;
          first.resolve(await holdWaiting("a", late.id));
          throw new Error("not yet");
        }),
      ],
      retry: { inPlaceAttempts: 1, delaysMs: [50, 50, 50] },
    });

    await world.publish(late);
    const another = await first.promise;
    await eventually("it waits for the key", () => hasLockWaiter(world));
    await another.settle();

    await world.until("it is in", (effects) => effects.length === 1);
    expect(await parked(world)).toBe(0);
  });

  it("goes on trying past its rounds while something else is down, and holds the group when all fail", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    let down = true;
    let tries = 0;
    world.start({
      handlers: [
        world.handler(() => {
          if (!down) return;
          tries += 1;
          throw new DomainError({
            code: "unavailable",
            reason: "PROVIDER_DOWN",
            message: "no answer",
          });
        }),
      ],
      retry: { inPlaceAttempts: 1, delaysMs: [50] },
    });

    const keys = Array.from({ length: 30 }, (_, n) => `key-${n}`);
    await world.publish(...keys.map((key) => event(key, `${key} 0`)));
    await world.publish(...keys.map((key) => event(key, `${key} 1`)));
    await eventually("it is tried past the rounds", () => tries > 7);
    expect(await parked(world)).toBeLessThan(keys.length);
    down = false;

    await world.until("all are in", (effects) => effects.length === 60);
    const effects = await world.effects();
    for (const key of keys) {
      expect(effects.filter((value) => value.startsWith(`${key} `))).toEqual([
        `${key} 0`,
        `${key} 1`,
      ]);
    }
    expect(deadLetters).toEqual([]);
  });

  it("burns no attempt while its own database is away", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    world.start({ retry: { inPlaceAttempts: 1, delaysMs: [] } });
    await world.publish(event("a", "before"));
    await world.until("it works", (effects) => effects.length === 1);
    await using outage = await takeDatabaseAway();

    await world.publish(event("a", "during"), event("b", "during"));
    await delay(3_000);
    await outage[Symbol.asyncDispose]();

    await world.until("all are in", (effects) => effects.length === 3);
    expect(deadLetters).toEqual([]);
    expect(await parked(world)).toBe(0);
  });

  it("sends again what a process left unsent, and what a retry topic lost", async () => {
    await using world = await setupConsumers(database.url);
    for (const [key, forwarded] of [
      ["a", null],
      ["b", "1 hour"],
    ] as const) {
      const { id } = await park(world, key, "0", forwarded);
      expect(id).not.toBe("");
      await park(world, key, "1", forwarded);
    }

    world.start();

    await world.until("all are in", (effects) => effects.length === 4, 25_000);
    const effects = await world.effects();
    expect(effects.indexOf("a 0")).toBeLessThan(effects.indexOf("a 1"));
    expect(effects.indexOf("b 0")).toBeLessThan(effects.indexOf("b 1"));
    expect(await parked(world)).toBe(0);
  });

  it("holds the partition when a key has parked as many as it may", async () => {
    await using world = await setupConsumers(database.url);
    let down = true;
    world.start({
      maxParkedPerKey: 3,
      handlers: [
        world.handler((value) => {
          if (value === "a 0" && down) throw new Error("not yet");
        }),
      ],
      retry: {
        inPlaceAttempts: 1,
        delaysMs: LASTING_DELAYS_MS,
      },
    });

    await world.publish(
      ...Array.from({ length: 10 }, (_, n) => event("a", `a ${n}`)),
    );
    await eventually("it is full", async () => (await parked(world)) === 3);
    down = false;

    await world.until("all are in", (effects) => effects.length === 10);
    expect(await world.effects()).toEqual(
      Array.from({ length: 10 }, (_, n) => `a ${n}`),
    );
  });

  it("takes a redriven event as a new delivery to just this group, and knows it again", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.one.dlt`);
    let broken = true;
    const handlers = [
      world.handler((value) => {
        if (broken)
          throw new DomainError({
            code: "invalid_argument",
            reason: "BAD",
            message: value,
          });
      }),
    ];
    world.start({ group: "one", handlers });
    world.start({ group: "two" });
    await world.publish(event("a", "x"));
    await eventually("one gives it up", () => deadLetters.length > 0);
    await world.until("two has it", (effects) => effects.length === 1);
    broken = false;

    const [letter] = deadLetters;
    if (letter === undefined) throw new Error("no dead letter");
    const original = { ...letter, topic: TOPIC, partition: 0, offset: 0n };
    const redriven = toRedriveRecord(original, "one", {
      id: "r-1",
      // By the clock of who sends it, which is an hour ahead.
      at: new Date(Date.now() + 3_600_000),
    });
    await world.bus.produce([redriven, redriven]);
    await world.publish(event("a", "y"));

    await world.until("it is in, once", (effects) => effects.length >= 4);
    expect((await world.effects()).toSorted()).toEqual(["x", "x", "y", "y"]);
  });
});

async function parked(world: World): Promise<number> {
  const { rows } = await world.db.query<{ count: bigint }>(
    "select count(*) from parked_event",
  );
  return Number(rows[0]?.count);
}

/** Parks an event as a process does that then dies; `forwarded` is how long ago it was sent. */
async function park(
  world: World,
  key: string,
  value: string,
  forwarded: string | null,
) {
  const { id, ...rest } = event(key, `${key} ${value}`);
  const record = toRecord({ ...rest, id, source: "/weft/test" }, {});
  await world.db.query(
    `insert into parked_key (
       consumer_group, topic, key, event_id, attempts, round, first_failure_at, due_at, forwarded_at, updated_at
     )
     values ('test', $1, $2, $3, 1, 1, now(), now() - interval '1 hour',
             now() - $4::interval, now() - interval '1 hour')
     on conflict do nothing`,
    [TOPIC, key, id, forwarded],
  );
  await world.db.query(
    `insert into parked_event (
       consumer_group, topic, key, event_id, partition, record_offset, record_key, headers, value
     )
     values ('test', $1, $2, $3, 0, 0, $2, $4, $5)`,
    [TOPIC, key, id, record.headers, record.value],
  );
  return { id };
}

/** Takes a key as a process does that has not committed yet, until disposed of. */
async function holdKey(key: string): Promise<AsyncDisposable> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query("begin");
  await client.query(
    `insert into parked_key (consumer_group, topic, key, event_id, attempts, round, due_at)
     values ('test', $1, $2, 'another', 1, 1, now())`,
    [TOPIC, key],
  );
  let isHeld = true;
  return {
    async [Symbol.asyncDispose]() {
      if (isHeld) await client.end();
      isHeld = false;
    },
  };
}

/** Takes the key of an event that waits in retry, and the place that `nextId` would have behind it, until it is settled. */
async function holdWaiting(key: string, nextId: string) {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(
    `insert into parked_key (consumer_group, topic, key, event_id, attempts, round, due_at, forwarded_at)
     values ('test', $1, $2, 'another', 1, 1, now(), now())`,
    [TOPIC, key],
  );
  await client.query("begin");
  await client.query("select from parked_key where key = $1 for update", [key]);
  await client.query(
    `insert into parked_event (consumer_group, topic, key, event_id, partition, record_offset, headers, value)
     values ('test', $1, $2, $3, 0, 0, '{}', '')`,
    [TOPIC, key, nextId],
  );
  return {
    async settle() {
      await client.query("delete from parked_event where key = $1", [key]);
      await client.query("delete from parked_key where key = $1", [key]);
      await client.query("commit");
      await client.end();
    },
  };
}

async function hasLockWaiter({ db }: World): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rowCount > 0;
}

/** Ends the connections of the tests' role and lets no new one in, until disposed of. */
async function takeDatabaseAway(): Promise<AsyncDisposable> {
  const name = new URL(database.adminUrl).pathname.slice(1);
  const admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  await admin.query(
    `alter database ${pg.escapeIdentifier(name)} connection limit 0`,
  );
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
    [name],
  );
  let away = true;
  return {
    async [Symbol.asyncDispose]() {
      if (!away) return;
      away = false;
      await admin.query(
        `alter database ${pg.escapeIdentifier(name)} connection limit -1`,
      );
      await admin.end();
    },
  };
}

function headerTime(
  record: { headers: Readonly<Record<string, string>> } | undefined,
  name: string,
): number {
  return Date.parse(record?.headers[name] ?? "");
}
