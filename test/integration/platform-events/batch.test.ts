import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  onBatch,
  onIdempotentBatch,
  reads,
} from "../../../services/platform/events/event-handler.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import {
  event,
  LASTING_DELAYS_MS,
  setupConsumers,
  TOPIC,
} from "./consumer-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

/** So many that each of the three partitions has some. */
const keysOfAllPartitions = Array.from({ length: 12 }, (_, n) => `key-${n}`);

describe("a batch handler", () => {
  it("is given the new events of a partition together, in order", async () => {
    await using world = await setupConsumers(database.url);
    const calls: number[] = [];
    const first = event("a", "0");
    await world.publish(
      first,
      ...Array.from({ length: 49 }, (_, n) => event("a", `${n + 1}`)),
      first,
    );

    world.start({ handlers: batchHandlers(calls) });

    await world.until("all are in", (effects) => effects.length === 50);
    expect(await world.effects()).toEqual(
      Array.from({ length: 50 }, (_, n) => `${n}`),
    );
    expect(calls.length).toBeLessThan(10);
  });

  it("is given the events of all partitions in one transaction, with their inbox rows", async () => {
    await using world = await setupConsumers(database.url);
    const events = keysOfAllPartitions.map((key) => event(key, key));
    await world.publish(...events);

    world.start({ handlers: batchHandlers([]) });

    await world.until("all are in", ({ length }) => length === events.length);
    const { rows } = await world.db.query<{ effects: bigint; inbox: bigint }>(
      `select count(*) as effects, (select count(*) from inbox where inbox.xmin = effect.xmin) as inbox
       from effect
       group by xmin`,
    );
    expect(rows).toEqual([{ effects: 12n, inbox: 12n }]);
  });

  it("keeps the effects of all but the one that can't be handled, whichever partitions they share a batch with", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    const calls: number[] = [];
    const [bad = "", ...good] = keysOfAllPartitions;
    await world.publish(...keysOfAllPartitions.map((key) => event(key, key)));

    world.start({
      handlers: batchHandlers(calls, (value) => {
        if (value === bad) throw new TypeError("a fault in the handler");
      }),
      retry: { inPlaceAttempts: 1, delaysMs: [100] },
    });

    await world.until("the good are in", ({ length }) => length >= good.length);
    await eventually("the bad one is buried", () => deadLetters.length > 0);
    expect((await world.effects()).toSorted()).toEqual(good.toSorted());
    expect(deadLetters[0]?.key).toBe(bad);
    // One by one from the first failure on, and not in ever smaller batches.
    expect(calls.filter((length) => length > 1).length).toBeLessThan(4);
  });

  it("goes on with other partitions while a key of one waits in retry", async () => {
    await using world = await setupConsumers(database.url);
    const calls: number[] = [];
    const [waiting = "", ...others] = keysOfAllPartitions;
    let broken = true;
    world.start({
      handlers: batchHandlers(calls, (value) => {
        if (value === `${waiting} 0` && broken) throw new Error("not yet");
      }),
      retry: { inPlaceAttempts: 1, delaysMs: LASTING_DELAYS_MS },
    });
    await world.publish(event(waiting, `${waiting} 0`));
    await eventually("it waits", async () => {
      const { rowCount } = await world.db.query("select from parked_key");
      return rowCount === 1;
    });

    await world.publish(
      event(waiting, `${waiting} 1`),
      ...others.map((key) => event(key, key)),
    );

    await world.until("others are in", ({ length }) => length >= others.length);
    broken = false;
    await world.until(
      "all are in",
      ({ length }) => length === others.length + 2,
    );
    const late = (await world.effects()).filter((value) => value.includes(" "));
    expect(late).toEqual([`${waiting} 0`, `${waiting} 1`]);
  });

  it("falls back to single events when one fails, which waits alone with its key", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    let broken = true;
    await world.publish(
      ...Array.from({ length: 20 }, (_, n) =>
        event(n % 2 === 0 ? "a" : "b", `${n}`),
      ),
      event("a", "bad"),
      ...Array.from({ length: 20 }, (_, n) =>
        event(n % 2 === 0 ? "a" : "b", `${n + 20}`),
      ),
    );

    world.start({
      // More than one batch, so that others follow the one that fails.
      batchSize: 10,
      handlers: batchHandlers([], (value) => {
        if (value === "bad" && broken) throw new Error("not yet");
      }),
      retry: {
        inPlaceAttempts: 1,
        delaysMs: LASTING_DELAYS_MS,
      },
    });

    await world.until(
      "the other key is through",
      (effects) => effects.includes("39") && !effects.includes("20"),
    );
    broken = false;
    await world.until("all are in", (effects) => effects.length === 41);
    const even = (await world.effects()).filter(
      (value) => value === "bad" || Number(value) % 2 === 0,
    );
    expect(even).toEqual([
      ...Array.from({ length: 10 }, (_, n) => `${n * 2}`),
      "bad",
      ...Array.from({ length: 10 }, (_, n) => `${n * 2 + 20}`),
    ]);
    expect(deadLetters).toEqual([]);
  });

  it("tells an idempotent handler one by one of what it could not take together", async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);
    const [bad = "", ...good] = keysOfAllPartitions;
    await world.publish(...keysOfAllPartitions.map((key) => event(key, key)));

    world.start({
      handlers: onIdempotentBatch([StringValueSchema], async (db, events) => {
        const values = events.map(({ message }) => message.value);
        if (values.includes(bad)) throw new TypeError("a fault in the handler");
        await db.query("insert into effect (value) select unnest($1::text[])", [
          values,
        ]);
      }),
      retry: { inPlaceAttempts: 1, delaysMs: [100] },
    });

    await world.until("the good are in", (effects) =>
      good.every((key) => effects.includes(key)),
    );
    await eventually("the bad one is buried", () => deadLetters.length > 0);
    expect(await world.effects()).not.toContain(bad);
    expect(deadLetters.map(({ key }) => key)).toEqual([bad]);
  });
});

function batchHandlers(calls: number[], before?: (value: string) => void) {
  const reader = reads(StringValueSchema, ({ message: { value } }) => ({
    value,
  }));
  return onBatch([reader], async (tx, works) => {
    calls.push(works.length);
    for (const { value } of works) {
      await tx.query("insert into effect (value) values ($1)", [value]);
      before?.(value);
    }
  });
}
