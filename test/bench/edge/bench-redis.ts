import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  startRedis,
  type Redis,
} from "../../../deploy/local/components/redis.ts";

/** A Redis of the measurement's own. */
export async function startBenchRedis(
  started: AsyncDisposableStack,
): Promise<Redis> {
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-redis-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  return started.use(await startRedis({ directory }));
}
