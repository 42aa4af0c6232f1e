import { afterAll, beforeAll, expect, test } from "vitest";
import type { Consumer } from "../../../services/platform/events/consumer.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { publishRounds, setupConsumers } from "./consumer-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

test(
  "members that come and go while events fail and wait in retry do nothing twice, and keep each key's order",
  { timeout: 120_000 },
  async () => {
    await using world = await setupConsumers(database.url);
    const deadLetters = world.collect("google.protobuf.test.dlt");
    const failed = new Set<string>();
    const handlers = [
      world.handler((value) => {
        // Every seventh event fails at first, wherever it is tried.
        const [key = "", round = "0"] = value.split(" ");
        const isOdd =
          (Number(round) + key.length + Number(key.at(-1))) % 7 === 0;
        if (!isOdd || failed.has(value)) return;
        failed.add(value);
        throw new Error("not yet");
      }),
    ];
    const start = () =>
      world.start({
        handlers,
        retry: { inPlaceAttempts: 1, delaysMs: [200, 400, 800, 800] },
      });
    const keys = Array.from({ length: 12 }, (_, n) => `key-${n}`);
    const members: Consumer[] = [start()];
    await eventually(
      "the first member is there",
      () => (members[0]?.assigned().length ?? 0) > 0,
    );

    const publishing = publishRounds(world, keys, 25);
    for (let storm = 0; storm < 5; storm += 1) {
      members.push(start());
      await eventually(
        "the new member has joined",
        () => (members.at(-1)?.assigned().length ?? 0) > 0,
      );
      if (members.length > 2) await members.shift()?.stop();
    }
    await publishing;

    await world.until("all are in", (effects) => effects.length >= 300, 60_000);
    const effects = await world.effects();
    expect(effects).toHaveLength(300);
    for (const key of keys) {
      const rounds = effects
        .filter((value) => value.startsWith(`${key} `))
        .map((value) => Number(value.split(" ")[1]));
      expect(rounds).toEqual(Array.from({ length: 25 }, (_, round) => round));
    }
    expect(failed.size).toBeGreaterThan(20);
    expect(deadLetters).toEqual([]);
  },
);
