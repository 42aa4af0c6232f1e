import { describe, expect, it } from "vitest";
import { splitSlots } from "../../../services/platform/events/relay-lease.ts";

describe("splitSlots", () => {
  it.each([1, 2, 3, 5, 63, 64])(
    "covers every slot exactly once with %i ranges",
    (count) => {
      const ranges = splitSlots(64, count);

      const slots = ranges.flatMap(({ firstSlot, lastSlot }) =>
        Array.from(
          { length: lastSlot - firstSlot + 1 },
          (_, n) => firstSlot + n,
        ),
      );
      expect(ranges).toHaveLength(count);
      expect(slots).toEqual(Array.from({ length: 64 }, (_, n) => n));
    },
  );

  it.each([0, -1, 65, 1.5, Number.NaN])("refuses %d ranges", (count) => {
    expect(() => splitSlots(64, count)).toThrow(RangeError);
  });
});
