import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { newPrefix } from "../../support/event-bus.ts";
import { eventually } from "../../support/eventually.ts";
import { event, setupConsumers, TOPIC } from "./consumer-world.ts";

const PROCESS = fileURLToPath(new URL("consumer-process.ts", import.meta.url));

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

test.for(["before forward", "after forward", "while releasing"])(
  "a consumer that is killed %s loses nothing, does nothing twice, and keeps each key's order",
  { timeout: 60_000 },
  async (moment) => {
    const prefix = newPrefix();
    await using world = await setupConsumers(database.url, { prefix });

    await world.publish(
      ...["a 0", "a 1", "a 2", "a 3"].map((value) => event("a", value)),
    );
    await world.publish(event("b", "b 0"));
    await killedItself(prefix, moment);
    world.start();

    await world.until("all are in", (effects) => effects.length === 5, 40_000);
    await eventually("nothing is left parked", async () => {
      const { rows } = await world.db.query(
        "select from parked_key union all select from parked_event",
      );
      return rows.length === 0;
    });
    const effects = await world.effects();
    expect(effects.filter((value) => value.startsWith("a "))).toEqual([
      "a 0",
      "a 1",
      "a 2",
      "a 3",
    ]);
    expect(effects.filter((value) => value === "b 0")).toHaveLength(1);
  },
);

test(
  "a consumer that is killed after it buried an event buries it again at worst, and goes on behind it",
  { timeout: 60_000 },
  async () => {
    const prefix = newPrefix();
    await using world = await setupConsumers(database.url, { prefix });
    const deadLetters = world.collect(`${TOPIC}.test.dlt`);

    await world.publish(event("a", "a 0"), event("a", "a 1"));
    await killedItself(prefix, "after bury");
    world.start({
      handlers: [
        world.handler((value) => {
          if (value === "a 0")
            throw new DomainError({
              code: "invalid_argument",
              reason: "BAD",
              message: value,
            });
        }),
      ],
    });

    await world.until(
      "the later one is in",
      (effects) => effects.length === 1,
      40_000,
    );
    await eventually("it is buried again", () => deadLetters.length === 2);
    expect(
      new Set(deadLetters.map(({ headers }) => headers["ce_id"])).size,
    ).toBe(1);
    expect(
      new Set(deadLetters.map(({ headers }) => headers["dlt_original_offset"]))
        .size,
    ).toBe(1);
  },
);

test(
  "a consumer that is killed in the middle of a batch has done all of it or nothing",
  { timeout: 60_000 },
  async () => {
    const prefix = newPrefix();
    await using world = await setupConsumers(database.url, { prefix });
    const keys = Array.from({ length: 9 }, (_, n) => `key-${n}`);
    await world.publish(...keys.map((key) => event(key, key)));

    await killedItself(prefix, "in a batch");
    expect(await world.effects()).toEqual([]);
    const { rowCount } = await world.db.query("select from inbox");
    expect(rowCount).toBe(0);
    world.start();

    await world.until(
      "all are in",
      (effects) => effects.length >= keys.length,
      40_000,
    );
    expect((await world.effects()).toSorted()).toEqual(keys);
  },
);

/** Runs a consumer process until it has killed itself. */
async function killedItself(prefix: string, moment: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [PROCESS, database.url, inject("kafkaBrokers").join(","), prefix, moment],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  try {
    const [, signal] = await once(child, "exit", {
      signal: AbortSignal.timeout(30_000),
    });
    expect(signal).toBe("SIGKILL");
  } finally {
    child.kill("SIGKILL");
  }
}
