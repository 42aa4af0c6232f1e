import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MUTATIONS } from "../../faults/mutations.ts";

const root = join(import.meta.dirname, "..", "..", "..");

it.each(MUTATIONS)("can still be planted: $hole", ({ file, find, replace }) => {
  const source = readFileSync(join(root, file), "utf8");

  expect(source.split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
});
