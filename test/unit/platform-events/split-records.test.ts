import { describe, expect, it } from "vitest";
import type { OutgoingRecord } from "../../../services/platform/events/event-bus.ts";
import { splitRecords } from "../../../services/platform/events/split-records.ts";

describe("splitRecords", () => {
  it("leaves small records together", () => {
    const records = Array.from({ length: 200 }, () => record(1_000));

    expect(splitRecords(records)).toEqual([records]);
  });

  it("keeps the order, and each part below what a broker takes", () => {
    const records = Array.from({ length: 60 }, () => record(20_000));

    const parts = splitRecords(records);

    expect(parts.map((part) => part.length)).toEqual([44, 16]);
    expect(parts.flat()).toEqual(records);
  });

  it("counts keys and headers", () => {
    const records = Array.from({ length: 10 }, () => ({
      ...record(0),
      key: "ü".repeat(50_000),
      headers: { long: "ü".repeat(50_000) },
    }));

    expect(splitRecords(records).map((part) => part.length)).toEqual([4, 4, 2]);
  });

  it("sends one that is too large by itself alone", () => {
    const [small, large] = [record(10), record(950_000)];

    expect(splitRecords([small, large, small])).toEqual([
      [small],
      [large],
      [small],
    ]);
  });

  it("makes no part of nothing", () => {
    expect(splitRecords([])).toEqual([]);
  });
});

function record(bytes: number): OutgoingRecord {
  return { topic: "t", key: "a", value: new Uint8Array(bytes), headers: {} };
}
