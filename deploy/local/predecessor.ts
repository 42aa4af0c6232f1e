import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { birthOf } from "./process-birth.ts";
import { signalGroup } from "./signal-group.ts";
import { waitUntil } from "./wait.ts";

/** A guard gives its child 3 s after its parent's death; see process.ts. */
const GUARD_MS = 5_000;

/** Names a process for the next run: by its birth too, because a pid is soon given to somebody else. */
export async function writePidFile(
  pidFile: string,
  pid: number,
  command: string,
): Promise<void> {
  const birth = await birthOf(pid);
  if (birth === undefined) return;
  await mkdir(dirname(pidFile), { recursive: true });
  await writeFile(pidFile, `${pid}\n${birth}\n${command}\n`);
}

/**
 * Waits until the process that `pidFile` names is gone. A run that was killed
 * leaves its children to their guards for some seconds; where the guards were
 * killed too, the process is killed here.
 */
export async function awaitPredecessor(pidFile: string): Promise<void> {
  const predecessor = await readPidFile(pidFile);
  if (predecessor === undefined) return;
  const { pid, birth, command } = predecessor;
  const gone = async () => (await birthOf(pid)) !== birth;
  try {
    await waitUntil(gone, {
      what: `process ${pid} (${command})`,
      deadlineMs: GUARD_MS,
    });
  } catch {
    signalGroup(pid, "SIGKILL");
    await waitUntil(gone, {
      what: `killed process ${pid} (${command})`,
      deadlineMs: GUARD_MS,
    });
  }
  await rm(pidFile, { force: true });
}

async function readPidFile(
  pidFile: string,
): Promise<{ pid: number; birth: string; command: string } | undefined> {
  let text: string;
  try {
    text = await readFile(pidFile, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const [, pid, birth, command] = /^(\d+)\n(.+)\n(.+)\n$/.exec(text) ?? [];
  if (!pid || !birth || !command) return undefined;
  return { pid: Number(pid), birth, command };
}
