import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { chooseSplitters } from "../../../services/sort/engine/job/splitters.ts";
import { RunIndexBuilder } from "../../../services/sort/engine/run-file.ts";

test("holds of a splitter the record alone, for each is sent to the workers once a run", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-splitters-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const data = join(folder, "run");
  const blocks = [1n, 2n, 3n, 4n];
  writeFileSync(data, "a line\n".repeat(1_000 * blocks.length));
  const index = new RunIndexBuilder();
  blocks.forEach((prefix, i) => index.add(7_000 * i, 7_000 * i, prefix, 0));
  const run = { id: 0, data, longest: 7, index: index.build(28_000, 28_000) };
  const order = {
    layout: "lines",
    delimiter: 10,
    recordBytes: 0,
    keyOffset: 0,
    keyBytes: 0,
    reverse: false,
    tie: "none",
    unique: "no",
    hashing: false,
  } as const;

  const splitters = chooseSplitters(order, [run], 4);

  expect(splitters.map(({ stored }) => stored.buffer.byteLength)).toEqual([
    7, 7, 7,
  ]);
});
