import fc from "fast-check";
import { expect, test } from "vitest";
import { StreamTable } from "../../../services/ratelimit/rpc/stream-table.ts";

test("a table of streams holds what a map holds", () => {
  const step = fc.record({
    id: fc.integer({ min: 1, max: 40 }),
    stream: fc.option(fc.string(), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const table = new StreamTable<string>();
      const map = new Map<number, string>();

      for (const { id, stream } of steps) {
        if (stream === undefined) expect(table.delete(id)).toBe(map.delete(id));
        else {
          table.set(id, stream);
          map.set(id, stream);
        }
        expect(table.size).toBe(map.size);
        expect(table.get(id)).toBe(map.get(id));
      }

      const found = new Map<number, string>();
      table.forEach((stream, id) => found.set(id, stream));
      expect(found).toEqual(map);
    }),
  );
});

test("ids as far apart as those of a long connection find their streams", () => {
  const table = new StreamTable<number>();
  const ids = [1, 3, 2 ** 20 + 1, 2 ** 31 - 1];

  for (const id of ids) table.set(id, id);
  table.delete(3);

  expect(ids.map((id) => table.get(id))).toEqual([
    1,
    undefined,
    2 ** 20 + 1,
    2 ** 31 - 1,
  ]);
});
