import { sleep } from "../../platform/data/backoff.ts";
import { claimDeleting, forgetFile, markOverdue } from "../store/files.ts";
import type { DeleteFileDeps } from "./delete-file.ts";

export interface SweepFilesDeps extends DeleteFileDeps {
  /** How long a file may outlive its end, about, in milliseconds. */
  readonly intervalMs: number;
}

const BATCH = 50;
const RETRY_MS = 60_000;

/** Takes abandoned uploads and expired files from their owners and removes their bytes, until `stop` aborts. */
export async function sweepFiles(
  deps: SweepFilesDeps,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    try {
      await sweepOnce(deps, stop);
    } catch (error) {
      deps.logger.warn({ err: error }, "sweeping failed, tries again");
    }
    // Half to one and a half intervals, so that instances that started together do not sweep together.
    await sleep(deps.intervalMs * (0.5 + Math.random()), stop).catch(
      () => undefined,
    );
  }
}

/** One look at what is due. */
export async function sweepOnce(
  deps: DeleteFileDeps,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted && (await takeOverdue(deps)) === BATCH);
  for (let isMore = true; isMore && !stop.aborted;) {
    const now = deps.now();
    const retryAt = new Date(now.getTime() + RETRY_MS);
    const doomed = await claimDeleting(deps.db, now, retryAt, BATCH);
    for (const { id } of doomed) {
      await deps.objects.remove({ id });
      await forgetFile(deps.db, id);
    }
    isMore = doomed.length === BATCH;
  }
}

function takeOverdue(deps: DeleteFileDeps): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const overdue = await markOverdue(tx, deps.now(), BATCH);
    for (const { file, cause } of overdue) {
      await deps.announce(tx, { type: "FileDeleted", file, cause });
    }
    return overdue.length;
  });
}
