import {
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sortError } from "../sort-error.ts";
import { tempDiskFull } from "./full-disk.ts";

const SQLITE_BUSY = 5;

/**
 * Keeps every other sort out of a job's folder: two in one would write the same runs. It is SQLite's lock of a file, which
 * the kernel frees with its process, so a killed one leaves nothing stale. Throws FOLDER_IN_USE, or TEMP_SPACE_SHORT where
 * there is no room for the folder.
 */
export function lockFolder(folder: string): Disposable {
  try {
    for (;;) {
      const lock = tryLock(folder);
      if (lock) return lock;
    }
  } catch (error) {
    throw tempDiskFull(error) ?? error;
  }
}

/** Undefined where a sort that has just ended took the folder with it. */
function tryLock(folder: string): Disposable | undefined {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "lock");
  // Only where it is missing: to close a file is to give up all locks that this process has on it.
  if (!existsSync(path)) writeFileSync(path, "", { flag: "a" });
  const file = inodeOf(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("begin exclusive");
    if (file !== undefined && file === inodeOf(path)) {
      writeFileSync(join(folder, "holder"), `${process.pid}`);
      return { [Symbol.dispose]: () => database.close() };
    }
  } catch (error) {
    database.close();
    throw isBusy(error) ? inUse(folder) : error;
  }
  database.close();
  return undefined;
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    "errcode" in error &&
    error.errcode === SQLITE_BUSY
  );
}

function inUse(folder: string) {
  const path = join(folder, "holder");
  const holder = existsSync(path) ? readFileSync(path, "utf8") : "";
  return sortError(
    "FOLDER_IN_USE",
    `another sort works in the job's folder ${folder}${holder && `: process ${holder}`}`,
    { metadata: { folder, holder } },
  );
}
