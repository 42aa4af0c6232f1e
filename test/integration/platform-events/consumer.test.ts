import { create, fromBinary } from "@bufbuild/protobuf";
import { Int64ValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CloudEvent,
  newEvent,
  toRecord,
} from "../../../services/platform/events/cloud-event.ts";
import type { Consumer } from "../../../services/platform/events/consumer.ts";
import type { EventBus } from "../../../services/platform/events/event-bus.ts";
import { onIdempotentBatch } from "../../../services/platform/events/event-handler.ts";
import {
  deliverableForMs,
  keepForMs,
} from "../../../services/platform/events/inbox-retention.ts";
import { pruneInbox } from "../../../services/platform/events/inbox.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import {
  event,
  publishRounds,
  setupConsumers,
  TOPIC,
} from "./consumer-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

describe("a consumer", () => {
  it("gives each event its effect once, however often it is delivered", async () => {
    await using world = await setupConsumers(database.url);
    const twice = event("a", "deposit");
    world.start();

    await world.publish(twice, twice, event("b", "other"), twice);
    await world.publish(event("a", "last"));

    await world.until(
      "the last ones are in",
      (effects) => effects.includes("last") && effects.includes("other"),
    );
    expect((await world.effects()).toSorted()).toEqual([
      "deposit",
      "last",
      "other",
    ]);
  });

  it("leaves no trace of events that its handler turns down", async () => {
    await using world = await setupConsumers(database.url);
    const handler = {
      ...world.handler(),
      accepts: ({ data }: CloudEvent) =>
        fromBinary(StringValueSchema, data).value !== "no",
    };
    world.start({ handlers: [handler] });

    await world.publish(event("a", "no"), event("a", "no"), event("a", "yes"));

    await world.until("the last one is in", (effects) => effects.length > 0);
    expect(await world.effects()).toEqual(["yes"]);
    const { rowCount } = await world.db.query("select from inbox");
    expect(rowCount).toBe(1);
  });

  it("keeps no inbox of what an idempotent handler is told, and tells it little twice", async () => {
    await using world = await setupConsumers(database.url);
    const handlers = onIdempotentBatch(
      [StringValueSchema],
      async (db, events) => {
        const values = events.map(({ message }) => message.value);
        await db.query(
          "insert into effect (value) select value from unnest($1::text[]) as told (value)",
          [values],
        );
      },
    );
    const first = world.start({ handlers });
    await world.publish(event("a", "1"), event("a", "2"));
    await world.until("both are in", (effects) => effects.length === 2);

    // What it has done is committed when it stops, though no half second has passed.
    await first.stop();
    world.start({ handlers });
    await world.publish(event("a", "3"));
    await world.until("the last one is in", (effects) => effects.includes("3"));

    expect(await world.effects()).toEqual(["1", "2", "3"]);
    const { rowCount } = await world.db.query("select from inbox");
    expect(rowCount).toBe(0);
  });

  it("gives an event its effect once when two groups' members see it, once a group", async () => {
    await using world = await setupConsumers(database.url);
    world.start({ group: "one" });
    world.start({ group: "two" });

    await world.publish(event("a", "deposit"));

    await world.until("both did it", (effects) => effects.length === 2);
  });

  it("leaves no inbox row behind when the handler fails, so that the retry counts", async () => {
    await using world = await setupConsumers(database.url);
    let failures = 2;
    world.start({
      handlers: [
        world.handler(() => {
          if (failures > 0) {
            failures -= 1;
            throw new Error("not yet");
          }
        }),
      ],
    });

    await world.publish(event("a", "deposit"));

    await world.until("it is done", (effects) => effects.length === 1);
    expect(failures).toBe(0);
  });

  it("sends what cannot be read to the dead-letter topic, with its provenance, and goes on", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    world.start();
    const poison = toRecord(
      {
        ...event("a", "x"),
        source: "/weft/test",
        data: Buffer.from([0xff, 0xff]),
      },
      {},
    );

    await world.bus.produce([poison]);
    await world.publish(event("a", "good"));

    await world.until("the later one is in", (effects) =>
      effects.includes("good"),
    );
    await eventually("the dead letter is there", () => deadLetters.length > 0);
    const [letter] = deadLetters;
    expect(letter?.key).toBe("a");
    expect(letter?.value).toEqual(poison.value);
    expect(letter?.headers).toMatchObject({
      ce_id: poison.headers["ce_id"],
      dlt_original_topic: TOPIC,
      dlt_original_offset: "0",
      dlt_group: "test",
      dlt_attempts: "1",
      dlt_error_code: "invalid_argument",
      dlt_error_reason: "MALFORMED_EVENT",
    });
    expect(Number(letter?.headers["dlt_original_partition"])).toBeLessThan(3);
    expect(
      Date.parse(letter?.headers["dlt_first_failure_time"] ?? ""),
    ).toBeGreaterThan(0);
  });

  it("sends a record that is no event to the dead-letter topic", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    world.start();

    const stranger = {
      topic: TOPIC,
      key: "a",
      value: Buffer.from("{}"),
      headers: { "content-type": "application/json" },
    };
    await eventually("it is published", () =>
      world.bus.produce([stranger]).then(
        () => true,
        () => false,
      ),
    );
    await world.publish(event("a", "good"));

    await world.until("the later one is in", (effects) =>
      effects.includes("good"),
    );
    await eventually("the dead letter is there", () => deadLetters.length > 0);
  });

  it("sends an event that the domain refuses for good to the dead-letter topic after one try", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    let tries = 0;
    world.start({
      handlers: [
        world.handler((value) => {
          if (value !== "orderTotal: -100") return;
          tries += 1;
          throw new DomainError({
            code: "invalid_argument",
            reason: "TOTAL_NEGATIVE",
            message: "total below zero",
          });
        }),
      ],
    });

    await world.publish(event("a", "orderTotal: -100"), event("a", "good"));

    await world.until("the later one is in", (effects) =>
      effects.includes("good"),
    );
    await eventually("the dead letter is there", () => deadLetters.length > 0);
    expect(tries).toBe(1);
    expect(await world.effects()).toEqual(["good"]);
  });

  it("gives up on an event whose handler always fails after its attempts, and goes on", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    world.start({
      handlers: [
        world.handler((value) => {
          if (value === "bad") throw new TypeError("a fault in the handler");
        }),
      ],
    });

    await world.publish(event("a", "bad"), event("a", "good"));

    await world.until("the later one is in", (effects) =>
      effects.includes("good"),
    );
    await eventually("the dead letter is there", () => deadLetters.length > 0);
    expect(deadLetters[0]?.headers["dlt_attempts"]).toBe("4");
  });

  it("skips a type that it has no handler for", async () => {
    await using world = await setupConsumers(database.url);
    world.start();
    const unknown = newEvent(
      Int64ValueSchema,
      create(Int64ValueSchema, { value: 1n }),
      {
        aggregateId: "a",
        tenant: "acme",
        occurredAt: new Date(),
      },
    );

    await world.publish(unknown, event("a", "good"));

    await world.until("the known one is in", (effects) => effects.length === 1);
  });

  it("commits what it settled, so that its successor begins there", async () => {
    await using world = await setupConsumers(database.url);
    const delivered: bigint[] = [];
    const bus: EventBus = {
      ...world.bus,
      consume: (options) =>
        world.bus.consume({
          ...options,
          handle(batch) {
            delivered.push(...batch.records.map(({ offset }) => offset));
            return options.handle(batch);
          },
        }),
    };
    const first = world.start({ bus });
    await world.publish(event("a", "1"), event("a", "2"));
    await world.until("the two are in", (effects) => effects.length === 2);

    await first.stop();
    await world.publish(event("a", "3"));
    world.start({ bus });

    await world.until("the third is in", (effects) => effects.length === 3);
    expect(await world.effects()).toEqual(["1", "2", "3"]);
    expect(delivered).toEqual([...new Set(delivered)]);
  });

  it("shares the partitions with a second member and keeps each key in order through the hand-over", async () => {
    await using world = await setupConsumers(database.url);
    const keys = Array.from({ length: 9 }, (_, index) => `key-${index}`);
    const first = world.start();
    const share = ({ assigned }: Consumer) =>
      assigned().filter(({ topic }) => topic.endsWith(TOPIC)).length;
    await eventually("the first has all", () => share(first) === 3);
    const publishing = publishRounds(world, keys, 20);

    const second = world.start();
    await eventually(
      "they share",
      () =>
        share(first) > 0 &&
        share(second) > 0 &&
        share(first) + share(second) === 3,
    );
    await publishing;

    await world.until("all are in", (effects) => effects.length === 180);
    const effects = await world.effects();
    for (const key of keys) {
      const rounds = effects
        .filter((value) => value.startsWith(`${key} `))
        .map((value) => Number(value.split(" ")[1]));
      expect(rounds).toEqual(rounds.map((_, index) => index));
    }
  });

  it("refuses two handlers of one type", async () => {
    await using world = await setupConsumers(database.url);

    expect(() =>
      world.start({ handlers: [world.handler(), world.handler()] }),
    ).toThrow("two handlers");
  });

  it("keeps events in the inbox for as long as topic, retry topics and dead letters may deliver them together", async () => {
    await using world = await setupConsumers(database.url);
    const day = 86_400_000;

    const deliverableMs = await deliverableForMs(world.bus, {
      topics: [TOPIC],
      retryTopics: ["test.retry.1", "test.retry.2"],
      deadLetterTopics: [`${TOPIC}.test.dlt`],
    });

    expect(deliverableMs).toBe((14 + 1 + 14) * day);
    expect(keepForMs(30 * day, deliverableMs)).toBe(30 * day);
    expect(keepForMs(7 * day, deliverableMs)).toBe(deliverableMs);
  });

  it("forgets events past the retention, and only those of its group", async () => {
    await using world = await setupConsumers(database.url);
    await world.db.query(
      `insert into inbox (consumer_group, event_id, received_at)
       values ('test', 'old', now() - interval '2 days'),
              ('test', 'new', now()),
              ('other', 'old', now() - interval '2 days')`,
    );

    const pruned = await pruneInbox(world.db, "test", 86_400_000, 100);

    const { rows } = await world.db.query(
      "select consumer_group as group, event_id as id from inbox order by 1, 2",
    );
    expect(pruned).toBe(1);
    expect(rows).toEqual([
      { group: "other", id: "old" },
      { group: "test", id: "new" },
    ]);
  });
});
