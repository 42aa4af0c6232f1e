import fc from "fast-check";
import { expect, test } from "vitest";
import { StreamList } from "../../../services/ratelimit/rpc/stream-list.ts";

test("a list of streams holds what a set holds", () => {
  const streams = Array.from({ length: 8 }, (_, id) => ({ id }));
  const step = fc.record({
    stream: fc.constantFrom(...streams),
    isAdded: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const list = new StreamList<object>();
      const set = new Set<object>();

      for (const { stream, isAdded } of steps) {
        if (isAdded) {
          list.add(stream);
          set.add(stream);
        } else expect(list.delete(stream)).toBe(set.delete(stream));
        expect(list.size).toBe(set.size);
      }

      const found: object[] = [];
      list.forEach((stream) => found.push(stream));
      expect(found).toHaveLength(set.size);
      expect(new Set(found)).toEqual(set);
    }),
  );
});

test("a stream that takes itself away while all are visited hides no other", () => {
  const list = new StreamList<object>();
  const streams = [{ id: 1 }, { id: 2 }, { id: 3 }];
  for (const stream of streams) list.add(stream);

  const visited: object[] = [];
  list.forEach((stream) => {
    visited.push(stream);
    list.delete(stream);
  });

  expect(visited).toEqual(streams);
  expect(list.size).toBe(0);
});
