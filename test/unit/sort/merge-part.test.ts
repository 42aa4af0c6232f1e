import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { KernelOrder } from "../../../services/sort/engine/kernel/kernel.ts";
import { openKernel } from "../../../services/sort/engine/kernel/open-kernel.ts";
import { readIndex } from "../../../services/sort/engine/run-file.ts";
import type { WorkerDeps } from "../../../services/sort/engine/worker/chunk.ts";
import { newControl } from "../../../services/sort/engine/worker/control.ts";
import { mergePart } from "../../../services/sort/engine/worker/merge-part.ts";
import {
  GATHER,
  RunWriter,
} from "../../../services/sort/engine/worker/run-writer.ts";
import { verifyRun } from "../../../services/sort/engine/worker/verify-run.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-merge-"));
afterAll(() => rmSync(folder, { recursive: true }));

const order: KernelOrder = {
  layout: "lines",
  delimiter: 10,
  recordBytes: 0,
  keyOffset: 0,
  keyBytes: 0,
  reverse: false,
  tie: "none",
  unique: "no",
  hashing: false,
};

test.each(["wasm", "typescript"] as const)(
  "makes runs with blocks as long as it is told, and merges those (kernel %s)",
  (kernel) => {
    const deps = setup(kernel);
    const runs = [0, 1, 2, 3].map((first) => writeRun(deps, first));

    const pair = mergeRuns(deps, runs.slice(0, 2), 1 << 20);
    const other = mergeRuns(deps, runs.slice(2), 1 << 20);
    const all = mergeRuns(deps, [pair, other], 1 << 19);

    expect(readIndex(pair).blocks).toBe(2);
    const index = readIndex(all);
    expect(index.blocks).toBe(8);
    expect(index.offsets[8]).toBe(4 * BYTES);
    expect(verifyRun(deps, { kind: "verify", data: all, index })).toBe(true);
    const { prefixes } = index;
    expect(prefixes).toEqual(prefixes.toSorted());
  },
);

/** Of a run, in lines of 10 bytes. */
const BYTES = 1_000_000;

function setup(choice: "wasm" | "typescript"): WorkerDeps {
  const arenaBytes = 16 << 20;
  const kernel = openKernel(choice, arenaBytes);
  kernel.configure(order);
  const control = newControl();
  return {
    kernel,
    order,
    control,
    setup: {
      control: control.shared,
      order,
      keys: { kind: "none", isAnywhere: true },
      kernel: choice,
      arenaBytes,
      maxRecordBytes: 1 << 20,
      durable: false,
    },
    extractor: undefined,
  };
}

/** Every fourth number from the first on, in blocks of 50,000 bytes. */
function writeRun(deps: WorkerDeps, first: number): string {
  const path = join(folder, `run-${deps.kernel.name}-${first}`);
  using writer = new RunWriter(deps, path);
  for (let at = 0; at < BYTES / 10; at += 5_000) {
    const text = Array.from({ length: 5_000 }, (_, i) =>
      `${first + 4 * (at + i)}\n`.padStart(10, "0"),
    ).join("");
    deps.kernel.bytes.set(Buffer.from(text), GATHER.start);
    const prefix = deps.kernel.prefixOf(GATHER.start, 9);
    writer.add(GATHER.start, text.length, text.length, prefix);
    writer.write(GATHER.start, text.length);
  }
  writer.finish();
  return path;
}

function mergeRuns(
  deps: WorkerDeps,
  paths: readonly string[],
  blockBytes: number,
): string {
  const path = join(folder, paths.map((each) => basename(each)).join("+"));
  const target = { kind: "run", path, blockBytes } as const;
  const slices = paths.map((each) => ({ data: each, indexPath: each }));
  const task = { slices, target, limit: Infinity, longest: 10 };
  mergePart(deps, { kind: "merge", ...task });
  return path;
}
