import { closeSync, openSync, readSync } from "node:fs";
import { layOutChunk, workArea } from "../worker/arena.ts";
import type { ChunkItem } from "./chunk-queue.ts";
import type { Job } from "./job.ts";

const SAMPLE = 256 << 10;
/** A file that is smaller than so much for each worker is not divided. */
const WORTH = 4 << 20;

/** What is not in runs yet, cut so that a chunk about fills a worker's arena. */
export function planChunks(job: Job): ChunkItem[] {
  return job.inputs.flatMap((known, input) => {
    const gaps = gapsOf(job, input);
    if (known.path === undefined || !canDivide(job)) {
      return gaps.map((gap) => ({ ...gap, input, carry: new Uint8Array() }));
    }
    const bytes = chunkBytes(job, known.path, known.size ?? 0);
    return gaps.flatMap((gap) => cut(job, gap, bytes, input));
  });
}

interface Gap {
  readonly from: number;
  readonly to: number;
}

/** The parts of an input that no run covers. A stream's end lies at infinity until it is known. */
function gapsOf(job: Job, input: number): Gap[] {
  const known = job.inputs[input];
  const end = job.manifest.lines.find(
    (line) => line.kind === "end" && line.input === input,
  );
  const size =
    known?.size ?? (end?.kind === "end" ? end.size : Number.MAX_SAFE_INTEGER);
  const gaps: Gap[] = [];
  let at = job.heads[input] ?? 0;
  for (const run of job.runs.filter((each) => each.input === input)) {
    if (run.from > at) gaps.push({ from: at, to: run.from });
    at = Math.max(at, run.to);
  }
  if (at < size) gaps.push({ from: at, to: size });
  return gaps;
}

function canDivide({ plan }: Job): boolean {
  return plan.keys.isAnywhere || plan.order.layout === "fixed";
}

function cut(
  job: Job,
  { from, to }: Gap,
  bytes: number,
  input: number,
): ChunkItem[] {
  const unit =
    job.plan.order.layout === "fixed" ? job.plan.order.recordBytes : 1;
  const step = Math.max(unit, Math.floor(bytes / unit) * unit);
  const items: ChunkItem[] = [];
  for (let at = from; at < to; at += step) {
    const end = Math.min(at + step, to);
    items.push({ input, from: at, to: end, carry: new Uint8Array() });
  }
  return items;
}

function chunkBytes(job: Job, path: string, size: number): number {
  const { order, keys } = job.plan;
  const workers = job.pool.workers.length;
  const average =
    order.layout === "fixed" ? order.recordBytes : averageLine(job, path);
  const area = workArea(job.arenaBytes);
  const stage = keys.kind === "none" ? 0 : 2 * job.maxRecordBytes + (3 << 20);
  const { data } = layOutChunk(
    { start: area.start + stage, end: area.end },
    average,
  );
  // A key and its lengths lie beside each record.
  const share = keys.kind === "none" ? 0.97 : average / (average + 28);
  const most = Math.floor((data.end - data.start) * share);
  const least = Math.ceil(size / most);
  const count =
    size < workers * WORTH ? 1 : Math.ceil(least / workers) * workers;
  return Math.ceil(size / count);
}

function averageLine({ plan }: Job, path: string): number {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(SAMPLE);
    const sample = bytes.subarray(0, readSync(fd, bytes, 0, SAMPLE, 0));
    let lines = 0;
    for (const byte of sample) if (byte === plan.order.delimiter) lines++;
    return sample.length / Math.max(1, lines) || 64;
  } finally {
    closeSync(fd);
  }
}
