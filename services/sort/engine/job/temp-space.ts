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
  const output = await outputOnSameDisk(spec.output, runs.type, free, bytes);
  const limit = Math.min(
    options.tempBytes ?? Number.MAX_SAFE_INTEGER,
    Math.max(0, free - output) + written,
  );
  control.setTempLimit(limit);
  // What is sorted already stays where it is, and top keeps little: only workers can tell.
  const least = known && spec.top === undefined ? bytes : 0;
  const isPlain = job.plan.keys.kind === "none";
  if (!isPlain && least > limit) throw short(least, limit);
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
    `the runs need about ${needed} bytes of temporary space, and may take ${limit}`,
    { metadata: { needed: String(needed), limit: String(limit) } },
  );
}
