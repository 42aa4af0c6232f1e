import { expect, test } from "vitest";
import {
  isLost,
  moveOn,
  ofStrings,
  positionOf,
  toStrings,
} from "../../../services/order/app/log-position.ts";
import { gateOf } from "../../../services/order/app/observe-log.ts";

const pruned = { xid: "0", seq: "0" };

function positionAt(snapshot: string) {
  return positionOf({ cluster: "7/1", snapshot, pruned });
}

test.each([
  "100:100:",
  "100:108:100,103,107",
  "9999999999:10000000001:9999999999",
])("a place of the snapshot %s comes back from its token", (snapshot) => {
  const position = positionAt(snapshot);

  expect(ofStrings(toStrings(position))).toEqual(position);
});

test("a place past its snapshot forgets it, and never goes back", () => {
  const position = positionAt("100:108:100");

  const within = moveOn(position, { xid: "104", seq: "9" });
  const past = moveOn(within, { xid: "108", seq: "0" });
  const back = moveOn(past, { xid: "101", seq: "1" });

  expect(within.seen).toBe("100:108:100");
  expect(past.seen).toBeUndefined();
  expect(back).toEqual(past);
  expect(ofStrings(toStrings(past))).toEqual(past);
});

test("a snapshot of very many transactions is left out of the token", () => {
  const running = Array.from({ length: 2_000 }, (_unused, n) => 100 + n);
  const position = positionAt(`100:5000:${running.join(",")}`);

  const strings = toStrings(position);

  expect(strings.join().length).toBeLessThan(100);
  expect(ofStrings(strings)).toEqual({ ...position, seen: undefined });
});

test("a place is lost when something after it is forgotten, or in another cluster", () => {
  const position = positionAt("100:108:");
  const log = { cluster: "7/1", snapshot: "200:200:", pruned };

  expect(isLost(position, log)).toBe(false);
  expect(isLost(position, { ...log, pruned: { xid: "99", seq: "5" } })).toBe(
    false,
  );
  expect(isLost(position, { ...log, pruned: { xid: "100", seq: "1" } })).toBe(
    true,
  );
  expect(isLost(position, { ...log, cluster: "7/2" })).toBe(true);
});

test("the gate is held back for as long as the same transaction is the oldest", () => {
  const first = gateOf("100:108:100", 1_000, undefined);
  const same = gateOf("100:120:100", 6_000, first);
  const free = gateOf("130:130:", 9_000, same);
  const next = gateOf("131:140:131", 12_000, free);

  expect(
    [first, same, free, next].map(({ age, since }) => [age, since]),
  ).toEqual([
    [8n, 1_000],
    [20n, 1_000],
    [0n, undefined],
    [9n, 12_000],
  ]);
});
