import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { waitUntil } from "./wait.ts";

/** A guard gives its child 3 s after its parent's death; see process.ts. */
const GUARD_MS = 5_000;

/**
 * Waits until the process that `pidFile` names is gone. A run that was killed
 * leaves its children to their guards for some seconds; where the guards were
 * killed too, the process is killed here, when it still is the same command.
 */
export async function awaitPredecessor(pidFile: string): Promise<void> {
  const predecessor = await readPidFile(pidFile);
  if (predecessor === undefined) return;
  const { pid, command } = predecessor;
  const gone = async () => !(await runs(pid, command));
  try {
    await waitUntil(gone, {
      what: `process ${pid} (${command})`,
      deadlineMs: GUARD_MS,
    });
  } catch {
    process.kill(-pid, "SIGKILL");
    await waitUntil(gone, {
      what: `killed process ${pid} (${command})`,
      deadlineMs: GUARD_MS,
    });
  }
  await rm(pidFile, { force: true });
}

async function readPidFile(
  pidFile: string,
): Promise<{ pid: number; command: string } | undefined> {
  let text: string;
  try {
    text = await readFile(pidFile, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const match = /^(\d+) (.+)$/m.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { pid: Number(match[1]), command: match[2] };
}

/** The command is compared because a pid is soon given to somebody else. */
async function runs(pid: number, command: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const { stdout } = await promisify(execFile)("ps", [
    "-o",
    "args=",
    "-p",
    String(pid),
  ]).catch(() => ({ stdout: "" }));
  return stdout.includes(command);
}
