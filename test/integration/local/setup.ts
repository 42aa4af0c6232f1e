import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface RunDirectory extends AsyncDisposable {
  readonly path: string;
  /** Command lines of live processes that mention the directory. */
  readonly processes: () => Promise<string[]>;
}

/** A run's folder of a test's own, removed after it. */
export async function runDirectory(): Promise<RunDirectory> {
  const path = await mkdtemp(join(tmpdir(), "weft-local-"));
  return {
    path,
    processes: () => processesOf(path),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

async function processesOf(path: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ps", [
    "-A",
    "-o",
    "stat=,args=",
  ]);
  return stdout
    .split("\n")
    .filter((line) => line.includes(path) && !line.startsWith("Z"));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
