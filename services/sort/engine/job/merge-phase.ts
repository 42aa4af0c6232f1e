import { open, truncate } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { openPipe } from "../worker/pipe.ts";
import type { Merged, MergeTarget } from "../worker/tasks.ts";
import { compactParts } from "./compact-parts.ts";
import { together, type Job } from "./job.ts";
import { ofOutput, renewPartial, type Output } from "./output.ts";
import { bypassesCache } from "./page-cache.ts";
import { PipePool } from "./pipe-pool.ts";
import { planParts, slicesOf, type PartPlan } from "./plan-parts.ts";
import { openRun, reduceRuns } from "./reduce-runs.ts";
import type { OpenRun } from "./splitters.ts";
import type { SortWorker } from "./worker-pool.ts";

export interface MergeTotals {
  readonly bytes: number;
  readonly records: number;
  readonly hash: bigint;
}

interface Merge {
  readonly job: Job;
  readonly output: Output;
  readonly runs: readonly OpenRun[];
  readonly plan: PartPlan;
  readonly longest: number;
  /** What lies in the output before the first record. */
  readonly head: Uint8Array;
  readonly done: Map<number, DonePart>;
}

type DonePart = Pick<Merged, "bytes" | "records" | "hash" | "crc">;

/** Merges all runs into the output. */
export async function mergeRuns(
  job: Job,
  output: Output,
  head: Uint8Array,
): Promise<MergeTotals> {
  await reduceRuns(job);
  const runs = job.runs.map((run) => openRun(job, run));
  const longest = runs.reduce((most, run) => Math.max(most, run.longest), 0);
  const { plan, isKnown } = await planOnce(job, runs);
  const done = new Map<number, DonePart>();
  const merge = { job, output, runs, plan, longest, head, done };
  if (output.kind === "positional") {
    await mergeIntoFile(merge, output, isKnown);
  } else {
    await mergeInOrder(merge, output);
  }
  return totalsOf(merge);
}

/** A merge that was interrupted is divided as it was. */
async function planOnce(
  job: Job,
  runs: readonly OpenRun[],
): Promise<{ plan: PartPlan; isKnown: boolean }> {
  const ids = runs.map(({ id }) => id).join();
  const known = job.manifest.lines.findLast((line) => line.kind === "parts");
  if (known?.runs.join() === ids) return { plan: known, isKnown: true };
  const plan = await planParts(job, runs);
  job.manifest.append({ kind: "parts", ...plan });
  return { plan, isKnown: false };
}

function partCount({ plan }: Merge): number {
  return plan.starts.length - 1;
}

async function mergeIntoFile(
  merge: Merge,
  { path, partial }: Extract<Output, { kind: "positional" }>,
  isKnown: boolean,
): Promise<void> {
  const { job, plan, head, done } = merge;
  const total = head.length + (plan.outStarts.at(-1) ?? 0);
  // Parts of unique records are moved together, so a late write of theirs is not what belongs there: they are merged again.
  if (isKnown && job.spec.unique === undefined) {
    await keepWholeParts(merge, partial);
  } else {
    await renewPartial(path, partial);
  }
  const { tempBytes } = job.control.read();
  const isDirect = bypassesCache(job.options, tempBytes + total);
  if (job.options.countsOutput) job.control.takeTemp(total);
  await ofOutput(path, prepare(partial, total, head));
  const waiting = partIndexes(merge).filter((part) => !done.has(part));
  const work = job.pool.workers.map(async (worker) => {
    for (let i = waiting.shift(); i !== undefined; i = waiting.shift()) {
      const position = head.length + (plan.outStarts[i] ?? 0);
      const target: MergeTarget = {
        kind: "file",
        path: partial,
        position,
        isDirect,
      };
      // Runs are only read: where there is no room, it is the output's.
      const part = await ofOutput(path, mergeOne(merge, worker, i, target));
      const { bytes, records, crc, hash } = part;
      job.manifest.append({
        kind: "part",
        index: i,
        bytes,
        records,
        crc,
        hash,
      });
      done.set(i, part);
    }
  });
  await together(job, work);
  const sizes = partIndexes(merge).map((i) => done.get(i)?.bytes ?? 0);
  const starts = plan.outStarts.map((start) => head.length + start);
  await ofOutput(path, compactParts(partial, starts, sizes, head.length));
}

async function prepare(
  partial: string,
  total: number,
  head: Uint8Array,
): Promise<void> {
  await truncate(partial, total);
  await using handle = await open(partial, "r+");
  await handle.write(head, 0, head.length, 0);
}

function partIndexes(merge: Merge): number[] {
  return Array.from({ length: partCount(merge) }, (_, i) => i);
}

async function mergeOne(
  { job, plan, runs, longest }: Merge,
  worker: SortWorker,
  part: number,
  target: MergeTarget,
): Promise<Merged> {
  const slices = slicesOf(plan, runs, part);
  const limit = job.spec.top ?? Infinity;
  return worker.run({ kind: "merge", slices, target, limit, longest });
}

/** Parts of an earlier process that still are what was written. */
async function keepWholeParts(merge: Merge, partial: string): Promise<void> {
  const { job, plan, head, done } = merge;
  await using handle = await open(partial, "r");
  const piece = new Uint8Array(4 << 20);
  const planned = job.manifest.lines.findLastIndex(
    ({ kind }) => kind === "parts",
  );
  for (const line of job.manifest.lines.slice(planned)) {
    if (line.kind !== "part") continue;
    const start = head.length + (plan.outStarts[line.index] ?? 0);
    let crc = 0;
    for (let at = 0; at < line.bytes;) {
      const most = Math.min(piece.length, line.bytes - at);
      const { bytesRead } = await handle.read(piece, 0, most, start + at);
      if (bytesRead === 0) break;
      crc = crc32(piece.subarray(0, bytesRead), crc);
      at += bytesRead;
    }
    if (crc === line.crc) {
      done.set(line.index, line);
      job.control.addMerged(line.bytes);
      job.reused++;
    }
  }
}

/** A part on its way out. */
interface PipedPart {
  readonly pipe: SharedArrayBuffer;
  readonly merged: Promise<Merged>;
}

/** Workers run ahead as far as their pipes hold, of which there is one to spare; parts are put out in their order. */
async function mergeInOrder(
  merge: Merge,
  output: Extract<Output, { kind: "ordered" }>,
): Promise<void> {
  const { job, done, head } = merge;
  const { signal } = job.stop;
  const pipes = new PipePool(job.pool.workers.length + 1);
  const parts = partIndexes(merge).map(() =>
    Promise.withResolvers<PipedPart>(),
  );
  const waiting = partIndexes(merge);
  const work = job.pool.workers.map(async (worker) => {
    while (waiting.length > 0) {
      // Parts have their pipes in their order: the one that is put out never waits for one behind it.
      const pipe = await pipes.take(signal);
      const i = waiting.shift();
      if (i === undefined) return;
      const merged = mergeOne(merge, worker, i, { kind: "pipe", pipe });
      parts[i]?.resolve({ pipe, merged });
      done.set(i, await merged);
    }
  });
  const drain = async () => {
    if (head.length > 0) await output.write(head);
    for (const { promise } of parts) {
      const { pipe, merged } = await promise;
      await drainPipe(job, output, pipe);
      await merged;
      pipes.giveBack(pipe);
    }
    await output.end();
  };
  await together(job, [...work, drain()]);
}

async function drainPipe(
  job: Job,
  output: Extract<Output, { kind: "ordered" }>,
  shared: SharedArrayBuffer,
): Promise<void> {
  const pipe = openPipe(shared);
  const { signal } = job.stop;
  const piece = new Uint8Array(256 << 10);
  for (;;) {
    const bytes = await pipe.read(piece, signal);
    if (bytes === 0) return;
    await output.write(piece.subarray(0, bytes));
  }
}

function totalsOf({ job, done, head }: Merge): MergeTotals {
  const parts = [...done.values()];
  const isCounted = parts.every(({ records }) => records >= 0);
  return {
    bytes: parts.reduce((sum, part) => sum + part.bytes, head.length),
    records: (isCounted ? parts : job.runs).reduce(
      (sum, { records }) => sum + records,
      0,
    ),
    hash: BigInt.asUintN(
      64,
      parts.reduce((sum, { hash }) => sum + BigInt(hash), 0n),
    ),
  };
}
