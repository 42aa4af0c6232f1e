import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { newEvent } from "../../../services/platform/events/cloud-event.ts";
import type {
  EventBus,
  IncomingRecord,
  OutgoingRecord,
} from "../../../services/platform/events/event-bus.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { markPublished } from "../../../services/platform/events/outbox-queue.ts";
import {
  type Relay,
  type RelayOptions,
  startRelay,
} from "../../../services/platform/events/relay.ts";
import {
  claimLease,
  renewLease,
} from "../../../services/platform/events/relay-lease.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { setupEventBus } from "../../support/event-bus.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const TOPIC = "google.protobuf";
const ALL_SLOTS = { firstSlot: 0, lastSlot: 63 };

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

describe("the outbox relay", () => {
  it("publishes every event of 16 concurrent writers, each key in order", async () => {
    await using world = await setup();
    world.startRelay();
    const keys = ["a", "b", "c", "d", "e"];

    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let round = 0; round < 10; round += 1) {
          const key = pick(keys);
          await world.appendNext(key, Math.random() * 15);
        }
      }),
    );

    await eventually("all arrive", () => ids(world.received).size === 160);
    for (const key of keys) {
      const sequence = firstDeliveries(world.received, key);
      expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    }
    await eventually(
      "all are marked",
      async () => (await unpublished(world.db)) === 0,
    );
  });

  it("publishes soon after the commit, because the commit wakes it", async () => {
    await using world = await setup();
    // Longer than the test: what arrives has woken it.
    world.startRelay({ minPollMs: 3_600_000, maxPollMs: 3_600_000 });
    await world.appendNext("warm-up");
    await eventually("the relay runs", () => ids(world.received).size === 1);

    await world.appendNext("a");

    await eventually("it arrives", () => ids(world.received).size === 2);
  });

  it("publishes what another process committed, because it polls", async () => {
    await using world = await setup();
    const outbox = createOutbox({ wake: () => undefined });
    world.startRelay();

    await world.db.transaction((tx) => outbox.add(tx, event("a", 1)));

    await eventually("it arrives", () => ids(world.received).size === 1);
  });

  it("publishes nothing of a transaction that rolled back", async () => {
    await using world = await setup();
    world.startRelay();

    await world.db
      .transaction(async (tx) => {
        await world.outbox.add(tx, event("a", 1));
        throw new Error("no");
      })
      .catch(() => undefined);
    await world.appendNext("b");

    await eventually("the other arrives", () => world.received.length > 0);
    expect(new Set(world.received.map(({ key }) => key))).toEqual(
      new Set(["b"]),
    );
  });

  it("refuses an event without a key and one that Kafka would refuse", async () => {
    await using world = await setup();
    const big = event("a", 1);

    const refusals = await Promise.allSettled(
      [event("", 1), { ...big, data: new Uint8Array(1_000_000) }].map((each) =>
        world.db.transaction((tx) => world.outbox.add(tx, each)),
      ),
    );

    expect(refusals).toMatchObject([
      { reason: { reason: "NO_PARTITION_KEY" } },
      { reason: { reason: "EVENT_TOO_LARGE" } },
    ]);
    expect(await unpublished(world.db)).toBe(0);
  });

  it("publishes what is too large for one batch of Kafka's, in order", async () => {
    await using world = await setup();
    const sizes = [
      ...Array<number>(60).fill(20_000),
      ...Array<number>(3).fill(600_000),
    ];
    for (const [index, bytes] of sizes.entries()) {
      const large = { ...event("a", index + 1), data: new Uint8Array(bytes) };
      await world.db.transaction((tx) => world.outbox.add(tx, large));
    }

    world.startRelay();

    await eventually("all arrive", () => ids(world.received).size === 63);
    expect(firstDeliveries(world.received, "a")).toEqual(
      sizes.map((_, index) => index + 1),
    );
    await eventually(
      "all are marked",
      async () => (await unpublished(world.db)) === 0,
    );
  });

  it("publishes again after a crash between publishing and marking, the same event id", async () => {
    await using world = await setup();
    const crash = crashAfterProduce(world.bus);
    world.startRelay({ bus: crash.bus });

    await world.appendNext("a");
    await world.appendNext("a");

    await eventually(
      "it is marked",
      async () => (await unpublished(world.db)) === 0,
    );
    await eventually("the copy arrives", () => world.received.length > 2);
    expect(crash.count()).toBe(1);
    expect(ids(world.received).size).toBe(2);
    expect(firstDeliveries(world.received, "a")).toEqual([1, 2]);
  });

  it("holds events back while the bus fails, then publishes them in order", async () => {
    await using world = await setup();
    let down = true;
    let refused = 0;
    world.startRelay({
      bus: wrapProduce(world.bus, async (records) => {
        if (down) {
          refused += 1;
          throw new Error("broker is down");
        }
        await world.bus.produce(records);
      }),
    });
    for (let n = 0; n < 5; n += 1) await world.appendNext("a");
    await eventually("it is tried more than once", () => refused > 2);

    down = false;

    await eventually("all arrive", () => ids(world.received).size === 5);
    expect(firstDeliveries(world.received, "a")).toEqual([1, 2, 3, 4, 5]);
  });

  it("leaves what it could not send to whoever owns the keys next", async () => {
    await using world = await setup();
    let tries = 0;
    const first = world.startRelay({
      bus: wrapProduce(world.bus, async () => {
        tries += 1;
        throw new Error("no broker");
      }),
    });
    await world.appendNext("a");
    await eventually("it is tried", () => tries > 0);
    await first.stop();

    world.startRelay();

    await eventually("it arrives", () => ids(world.received).size === 1);
  });

  it("lets one of two processes publish, and the other take over when it stops", async () => {
    await using world = await setup();
    const sent: string[] = [];
    const named = (name: string): EventBus =>
      wrapProduce(world.bus, async (records) => {
        sent.push(...records.map(() => name));
        await world.bus.produce(records);
      });
    // Which it holds however long the machine stands still; the second looks as often as its own lease says.
    const first = world.startRelay({ bus: named("first"), leaseMs: 60_000 });
    await world.appendNext("a");
    await eventually(
      "the first publishes",
      () => ids(world.received).size === 1,
    );
    world.startRelay({ bus: named("second"), leaseMs: 1_000 });
    for (let n = 0; n < 5; n += 1) await world.appendNext("a");
    await eventually("all arrive", () => ids(world.received).size === 6);
    const before = [...sent];

    await first.stop();
    await world.appendNext("a");

    await eventually(
      "the second publishes",
      () => ids(world.received).size === 7,
    );
    expect(before).toEqual(Array(6).fill("first"));
    expect(sent.at(-1)).toBe("second");
    expect(firstDeliveries(world.received, "a")).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("takes over from an owner that died, once its lease is over", async () => {
    await using world = await setup();
    const dead = await claimLease(world.db, ALL_SLOTS, "dead", 800);
    world.startRelay({ leaseMs: 800 });
    await world.appendNext("a");

    await eventually("it arrives", () => ids(world.received).size === 1);

    expect(dead).toBeDefined();
    if (dead === undefined) return;
    expect(await renewLease(world.db, dead, 800)).toBe(false);
  });

  it("refuses the mark of an owner that was paused past its lease", async () => {
    await using world = await setup();
    const paused = await claimLease(world.db, ALL_SLOTS, "paused", 1);
    await world.appendNext("a");
    const id = await onlyEventId(world.db);
    await eventually("another owns it", async () => {
      return (
        (await claimLease(world.db, ALL_SLOTS, "next", 60_000)) !== undefined
      );
    });

    expect(paused).toBeDefined();
    if (paused === undefined) return;
    expect(await markPublished(world.db, paused, [id])).toBe(0);
    expect(await unpublished(world.db)).toBe(1);
  });

  it("renews no lease that ran out: a process that splits the keys differently may have claimed them", async () => {
    await using world = await setup();
    const late = await claimLease(world.db, ALL_SLOTS, "late", 1);
    const half = { firstSlot: 0, lastSlot: 31 };
    await eventually("another owns half of it", async () => {
      return (await claimLease(world.db, half, "next", 60_000)) !== undefined;
    });

    expect(late).toBeDefined();
    if (late === undefined) return;
    expect(await renewLease(world.db, late, 60_000)).toBe(false);
  });

  it("claims its lease anew once that ran out, and publishes on", async () => {
    await using world = await setup();
    world.startRelay({ leaseMs: 1_000 });
    await world.appendNext("a");
    await eventually("it arrives", () => ids(world.received).size === 1);

    const { rows: ended } = await world.db.query<{ epoch: bigint }>(
      `update relay_lease
       set expires_at = clock_timestamp()
       returning epoch`,
    );
    await eventually("it has another epoch", async () => {
      const { rows } = await world.db.query<{ epoch: bigint }>(
        "select epoch from relay_lease where expires_at > clock_timestamp()",
      );
      return (rows[0]?.epoch ?? 0n) > (ended[0]?.epoch ?? 0n);
    });
    await world.appendNext("a");

    await eventually("the next arrives", () => ids(world.received).size === 2);
  });

  it("excludes a process that splits the keys differently", async () => {
    await using world = await setup();
    const whole = await claimLease(world.db, ALL_SLOTS, "one", 60_000);

    const half = await claimLease(
      world.db,
      { firstSlot: 0, lastSlot: 31 },
      "two",
      60_000,
    );

    expect(whole).toBeDefined();
    expect(half).toBeUndefined();
  });

  it("publishes every key when the keys are split over several ranges", async () => {
    await using world = await setup();
    world.startRelay({ ranges: 4 });
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);

    await Promise.all(keys.map((key) => world.appendNext(key)));

    await eventually("all arrive", () => ids(world.received).size === 20);
  });

  it("shares the ranges with a process that comes later, and takes them back when it goes, each key in order", async () => {
    await using world = await setup();
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
    const round = () => Promise.all(keys.map((key) => world.appendNext(key)));
    world.startRelay({ ranges: 4, leaseMs: 1_000 });
    await eventually("it has all", async () => (await owners(world)) === "4");

    await round();
    const second = world.startRelay({ ranges: 4, leaseMs: 1_000 });
    for (let n = 0; n < 10; n += 1) await round();
    await eventually("they share", async () => (await owners(world)) === "2,2");
    for (let n = 0; n < 5; n += 1) await round();
    await second.stop();
    await eventually(
      "the first has all again",
      async () => (await owners(world)) === "4",
    );
    await round();

    await eventually(
      "all arrive",
      () => ids(world.received).size === 17 * keys.length,
    );
    for (const key of keys) {
      expect(firstDeliveries(world.received, key)).toEqual(
        Array.from({ length: 17 }, (_, index) => index + 1),
      );
    }
  });
});

/** How many ranges each process owns now. */
async function owners({ db }: World): Promise<string> {
  const { rows } = await db.query<{ count: bigint }>(
    `select count(*)
     from relay_lease
     where expires_at > clock_timestamp()
     group by owner
     order by 1`,
  );
  return rows.map(({ count }) => String(count)).join();
}

interface World extends AsyncDisposable {
  readonly db: Database;
  readonly bus: EventBus;
  readonly outbox: ReturnType<typeof createOutbox>;
  readonly received: readonly IncomingRecord[];
  startRelay(options?: Partial<RelayOptions>): Relay;
  /** The next event of the key, under the key's lock, as an aggregate's row would give it. */
  appendNext(key: string, holdMs?: number): Promise<void>;
}

async function setup(): Promise<World> {
  const stack = new AsyncDisposableStack();
  const db = stack.use(
    createDatabase({
      url: database.url,
      applicationName: "relay test",
      logger: silentLogger,
      poolSize: 20,
      acquireTimeoutMs: 20_000,
    }),
  );
  await db.query(
    "create table if not exists aggregate (key text primary key, version int8 not null)",
  );
  await db.query("truncate aggregate, outbox, relay_lease, relay_member");
  const bus = stack.use(setupEventBus());
  const received: IncomingRecord[] = [];
  stack.use(
    bus.consume({
      group: "observer",
      topics: [TOPIC],
      handle(batch) {
        for (const record of batch.records) {
          received.push(record);
          batch.markDone(record);
        }
        return batch.commit();
      },
    }),
  );
  const relays: Relay[] = [];
  const outbox = createOutbox({
    wake: () => relays.forEach((relay) => relay.wake()),
  });
  return {
    db,
    bus,
    outbox,
    received,
    startRelay(options = {}) {
      const relay = stack.use(
        startRelay({
          db,
          bus,
          logger: silentLogger,
          source: "/weft/test",
          ...options,
        }),
      );
      relays.push(relay);
      return relay;
    },
    appendNext: (key, holdMs = 0) =>
      db.transaction(async (tx) => {
        const { rows } = await tx.query<{ version: bigint }>(
          `insert into aggregate as old (key, version)
           values ($1, 1)
           on conflict (key) do update set version = old.version + 1
           returning version`,
          [key],
        );
        const version = Number(rows[0]?.version);
        await outbox.add(tx, event(key, version));
        await tx.query("select pg_sleep($1)", [holdMs / 1_000]);
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function event(key: string, sequence: number) {
  return newEvent(
    StringValueSchema,
    create(StringValueSchema, { value: `${key} ${sequence}` }),
    {
      aggregateId: key,
      tenant: "acme",
      occurredAt: new Date(),
      sequence: BigInt(sequence),
    },
  );
}

function wrapProduce(
  bus: EventBus,
  produce: (records: readonly OutgoingRecord[]) => Promise<void>,
): EventBus {
  return { ...bus, produce };
}

/** A bus whose first produce reaches the broker and then seems to fail, as a process killed right there. */
function crashAfterProduce(bus: EventBus): { bus: EventBus; count(): number } {
  let crashes = 0;
  return {
    count: () => crashes,
    bus: wrapProduce(bus, async (records) => {
      await bus.produce(records);
      if (crashes > 0) return;
      crashes += 1;
      throw new Error("killed before the mark");
    }),
  };
}

function ids(records: readonly IncomingRecord[]): Set<string | undefined> {
  return new Set(records.map(({ headers }) => headers["ce_id"]));
}

/** The key's sequence numbers in order of arrival, without second deliveries. */
function firstDeliveries(
  records: readonly IncomingRecord[],
  key: string,
): number[] {
  const ofKey = records.filter((record) => record.key === key);
  return [
    ...new Set(ofKey.map(({ headers }) => Number(headers["ce_sequence"]))),
  ];
}

function pick(keys: readonly string[]): string {
  const key = keys[Math.floor(Math.random() * keys.length)];
  if (key === undefined) throw new Error("no keys");
  return key;
}

async function unpublished(db: Database): Promise<number> {
  const { rows } = await db.query<{ count: bigint }>(
    "select count(*) from outbox where published_at is null",
  );
  return Number(rows[0]?.count);
}

async function onlyEventId(db: Database): Promise<string> {
  const { rows } = await db.query<{ id: string }>("select id from outbox");
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error("not one event");
  return row.id;
}
