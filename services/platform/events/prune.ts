import { sleep } from "../data/backoff.ts";
import type { Logger } from "../runtime/logger.ts";

const EVERY_MS = 60_000;
/** Small batches: a big delete holds locks and floods the write-ahead log. */
const BATCH = 1_000;

/** Once a minute deletes batch after batch until one is not full. Several processes may do so at once. */
export async function pruneInBatches(
  deps: { readonly logger: Logger; readonly name: string },
  deleteBatch: (limit: number) => Promise<number>,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    // Spread out, so that instances that started together do not meet.
    await sleep(EVERY_MS * (0.5 + Math.random()), stop).catch(() => undefined);
    try {
      while (!stop.aborted && (await deleteBatch(BATCH)) === BATCH);
    } catch (error) {
      deps.logger.warn(
        { err: error, table: deps.name },
        "pruning failed, tries again later",
      );
    }
  }
}
