import { workArea } from "./arena.ts";
import { BlockReader } from "./block-reader.ts";
import type { WorkerDeps } from "./chunk.ts";
import type { VerifyTask } from "./tasks.ts";

/** Reads a run of an earlier process whole and tells whether it is what was written. */
export function verifyRun(deps: WorkerDeps, task: VerifyTask): boolean {
  try {
    using reader = new BlockReader(deps.kernel, task.data, task.index);
    const area = workArea(deps.setup.arenaBytes);
    const end = Math.min(area.end, area.start + (16 << 20));
    for (let block = 0; block < task.index.blocks;) {
      deps.control.throwIfCancelled();
      const step = reader.read(block, { start: area.start, end });
      // A block that does not fit in 16 MB is read alone.
      block += step > 0 ? step : reader.read(block, area);
    }
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isCorrupt = "reason" in error && error.reason === "RUN_CORRUPT";
  return isCorrupt || ("code" in error && error.code === "ENOENT");
}
