import { expect, test } from "vitest";
import { oldestInDoubt } from "../../../services/order/app/oldest-in-doubt.ts";
import type { InDoubtClient } from "../../../services/order/clients/in-doubt.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const start = new Date("2026-01-01T00:00:00Z");
const away = new Error("away");

/** Two participants, each answering with branches prepared so many seconds ago, or not at all. */
function setup() {
  const held: Record<string, readonly number[] | Error> = {
    inventory: [],
    payment: [],
  };
  let now = start;
  const participants = Object.keys(held).map((participant): InDoubtClient => ({
    participant,
    async listInDoubt() {
      const found = held[participant] ?? [];
      if (found instanceof Error) throw found;
      return found.map((seconds) => ({
        orderId: "1",
        epoch: 1n,
        preparedAt: new Date(start.getTime() - seconds * 1_000),
      }));
    },
  }));
  const oldest = oldestInDoubt({
    participants,
    logger: silentLogger,
    now: () => now,
  });
  return {
    oldest,
    held,
    pass: (seconds: number) =>
      void (now = new Date(now.getTime() + seconds * 1_000)),
  };
}

test("the age is that of the oldest branch of all participants, and 0 when there is none", async () => {
  const { oldest, held } = setup();

  await oldest.look();
  const none = oldest.ageSeconds();
  held["inventory"] = [10];
  held["payment"] = [40, 20];
  await oldest.look();

  expect(none).toBe(0);
  expect(oldest.ageSeconds()).toBe(40);
});

test("a participant that falls silent has its branches grow older", async () => {
  const { oldest, held, pass } = setup();
  held["payment"] = [40];
  await oldest.look();

  held["payment"] = away;
  pass(60);
  await oldest.look();
  const silent = oldest.ageSeconds();
  held["inventory"] = away;
  await oldest.look();
  const allSilent = oldest.ageSeconds();
  held["payment"] = [];
  await oldest.look();

  expect([silent, allSilent]).toEqual([100, 100]);
  expect(oldest.ageSeconds()).toBe(0);
});

test("nothing is told while nobody has ever answered", async () => {
  const { oldest, held } = setup();
  held["inventory"] = away;
  held["payment"] = away;

  await oldest.look();

  expect(oldest.ageSeconds()).toBeUndefined();
});
