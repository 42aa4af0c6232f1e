import { closeSync, openSync, readSync } from "node:fs";
import {
  ARENA,
  SLACK,
  storedBytes,
  type KernelOrder,
} from "../kernel/kernel.ts";
import { createTypescriptKernel } from "../kernel/typescript/typescript-kernel.ts";
import type { RunIndex } from "../run-file.ts";

/** A run that is open for the merge. */
export interface OpenRun {
  readonly id: number;
  readonly data: string;
  readonly longest: number;
  readonly index: RunIndex;
}

/** A record that divides the merge: those before it belong to the part before. */
export interface Splitter {
  readonly run: number;
  readonly offset: number;
  readonly stored: Uint8Array;
}

/** A record that is longer divides nothing: it would be sent to every worker for every run. */
const LONGEST = 256 << 10;

/**
 * Chooses up to `parts - 1` records that divide all runs into parts of about the same size, in order. Records with the
 * same key are ordered by run and offset, so that even a single key that fills all runs is divided.
 */
export function chooseSplitters(
  order: KernelOrder,
  runs: readonly OpenRun[],
  parts: number,
): Splitter[] {
  const blocks = sampleBlocks(runs, parts);
  const total = blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  const chosen: Splitter[] = [];
  let seen = 0;
  for (const block of blocks) {
    const isDue = seen >= ((chosen.length + 1) * total) / parts;
    if (isDue && chosen.length < parts - 1) {
      const run = runs[block.run];
      const stored = run && readStored(order, run, block.block);
      if (stored) {
        chosen.push({ run: block.run, offset: block.offset, stored });
      }
    }
    seen += block.bytes;
  }
  return inOrder(order, chosen);
}

interface Block {
  readonly run: number;
  readonly block: number;
  readonly offset: number;
  readonly bytes: number;
  readonly prefix: bigint;
}

/** Of each run every n-th block, so that there are some 64 for each part. */
function sampleBlocks(runs: readonly OpenRun[], parts: number): Block[] {
  const all = runs.reduce((sum, { index }) => sum + index.blocks, 0);
  const step = Math.max(1, Math.floor(all / (64 * parts)));
  const blocks = runs.flatMap(({ index }, run) => {
    const sampled: Block[] = [];
    for (let block = 0; block < index.blocks; block += step) {
      const offset = index.offsets[block] ?? 0;
      const end = index.offsets[Math.min(block + step, index.blocks)] ?? offset;
      const prefix = index.prefixes[block] ?? 0n;
      sampled.push({ run, block, offset, bytes: end - offset, prefix });
    }
    return sampled;
  });
  return blocks.toSorted(
    (a, b) =>
      (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : 0) ||
      a.run - b.run ||
      a.offset - b.offset,
  );
}

/** The first record of a block, as it is stored; undefined where it is too long. */
function readStored(
  order: KernelOrder,
  run: OpenRun,
  block: number,
): Uint8Array | undefined {
  const offset = run.index.offsets[block] ?? 0;
  const end = run.index.offsets[block + 1] ?? offset;
  const bytes = Buffer.alloc(Math.min(end - offset, LONGEST));
  const fd = openSync(run.data, "r");
  try {
    readSync(fd, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(fd);
  }
  const length = storedLength(order, bytes);
  // A view would be sent to the workers, for each run, with all that was read.
  return length === undefined
    ? undefined
    : new Uint8Array(bytes.subarray(0, length));
}

function storedLength(order: KernelOrder, bytes: Buffer): number | undefined {
  switch (order.layout) {
    case "fixed":
      return order.recordBytes <= bytes.length ? order.recordBytes : undefined;
    case "keyed": {
      const length = 8 + bytes.readUInt32LE(0) + bytes.readUInt32LE(4);
      return length <= bytes.length ? length : undefined;
    }
    case "lines":
    case "numeric": {
      const end = bytes.indexOf(order.delimiter);
      return end < 0 ? undefined : end + 1;
    }
  }
}

/** Prefixes alone order the sample only nearly. */
function inOrder(order: KernelOrder, chosen: readonly Splitter[]): Splitter[] {
  const sizes = chosen.map(({ stored }) => stored.length + SLACK);
  const kernel = createTypescriptKernel(
    ARENA + sizes.reduce((sum, size) => sum + size, SLACK),
  );
  kernel.configure(order);
  let at = ARENA;
  const placed = chosen.map((splitter, i) => {
    const start = at;
    kernel.bytes.set(splitter.stored, start);
    at += sizes[i] ?? 0;
    return { splitter, start, end: start + splitter.stored.length };
  });
  type Placed = (typeof placed)[number];
  const isBefore = (a: Placed, b: Placed) =>
    kernel.findRecord(
      a.start,
      a.end,
      b.start,
      b.splitter.stored.length - storedBytes(order, 0),
      false,
      order.unique !== "no",
    ) === a.end;
  return placed
    .toSorted((a, b) => {
      if (isBefore(a, b)) return -1;
      if (isBefore(b, a)) return 1;
      return (
        a.splitter.run - b.splitter.run || a.splitter.offset - b.splitter.offset
      );
    })
    .map(({ splitter }) => splitter);
}
