import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { sortError } from "../sort-error.ts";
import type { SortOutput } from "../sort-spec.ts";
import type { Job } from "./job.ts";
import { outputError } from "./output.ts";

/** Left free on the disk of the runs, whatever the budget. */
const RESERVE = 16 << 20;

/**
 * Sees to it, before anything is written, that runs (and an output on the same disk) have room, and limits what the
 * workers may write. Throws TEMP_SPACE_SHORT.
 */
export async function limitTempSpace(job: Job): Promise<void> {
  const { options, spec, control } = job;
  const known = job.inputs.every(({ size }) => size !== undefined);
  const bytes = job.inputs.reduce((sum, { size = 0 }) => sum + size, 0);
  const written = control.read().tempBytes;
  const runs = await statfs(options.jobFolder);
  const free = runs.bavail * runs.bsize - RESERVE;
  // One that counts is counted when it is written.
  const output = options.countsOutput
    ? 0
    : await outputOnSameDisk(spec.output, runs.type, free, bytes);
  const limit = Math.min(
    options.tempBytes ?? Number.MAX_SAFE_INTEGER,
    Math.max(0, free - output) + written,
  );
  control.setTempLimit(limit);
  const least = known && spec.top === undefined ? leastSpace(job, bytes) : 0;
  if (least > limit) throw short(least, limit);
}

/** What is sure to be taken: what is sorted already stays where it is, and how short an output gets only workers can tell. */
function leastSpace({ plan, spec, options }: Job, bytes: number): number {
  const runs = plan.keys.kind === "none" ? 0 : bytes;
  const { compression = "none" } = spec.output;
  const isWhole = spec.unique === undefined && compression === "none";
  return runs + (options.countsOutput && isWhole ? bytes : 0);
}

async function outputOnSameDisk(
  output: SortOutput,
  type: number,
  free: number,
  bytes: number,
): Promise<number> {
  if (output.kind !== "file") return 0;
  const folder = dirname(output.path);
  const {
    type: outType,
    bavail,
    bsize,
  } = await statfs(folder).catch((error: unknown) => {
    throw outputError(output.path, error);
  });
  const isSame =
    outType === type && Math.abs(bavail * bsize - RESERVE - free) < RESERVE;
  return isSame ? bytes : 0;
}

function short(needed: number, limit: number) {
  return sortError(
    "TEMP_SPACE_SHORT",
    `the sort needs about ${needed} bytes of temporary space, and may take ${limit}`,
    { metadata: { needed: String(needed), limit: String(limit) } },
  );
}
