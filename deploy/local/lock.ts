import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

export interface Lock extends Disposable {
  readonly release: () => void;
}

const SQLITE_BUSY = 5;
const RETRY_MS = 250;

/**
 * Takes the lock of `file`, or returns undefined where another process has it.
 * It is SQLite's own file lock: the kernel frees it with its process, so a
 * killed owner leaves nothing stale, which pid files can't promise.
 */
export function tryLock(file: string): Lock | undefined {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("begin exclusive");
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) {
      return undefined;
    }
    throw error;
  }
  let held = true;
  const release = () => {
    if (held) database.close();
    held = false;
  };
  return { release, [Symbol.dispose]: release };
}

/** Waits for the lock; `onWait` is called once, when somebody else has it. */
export async function lock(
  file: string,
  options: { signal?: AbortSignal | undefined; onWait?: () => void } = {},
): Promise<Lock> {
  let waiting = false;
  for (;;) {
    const taken = tryLock(file);
    if (taken !== undefined) return taken;
    if (!waiting) options.onWait?.();
    waiting = true;
    await delay(RETRY_MS, undefined, { signal: options.signal });
  }
}
