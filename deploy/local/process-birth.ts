import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/**
 * When a process began, as text that is the same as long as it lives: with its
 * pid it names one process, which the pid alone does not. Undefined for one
 * that is gone (a zombie is), and where nobody tells.
 */
export async function birthOf(pid: number): Promise<string | undefined> {
  return existsSync("/proc/self/stat") ? fromProc(pid) : fromPs(pid);
}

/** proc(5): field 3 is the state, 22 the start in ticks since the boot. Field 2, in parentheses, may hold anything. */
async function fromProc(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, ticks] = [fields[0], fields[19]];
  if (ticks === undefined || isGone(state)) return undefined;
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  return `${boot.trim()} ${ticks}`;
}

async function fromPs(pid: number): Promise<string | undefined> {
  const { stdout } = await promisify(execFile)("ps", [
    "-o",
    "stat=,lstart=",
    "-p",
    String(pid),
  ]).catch(() => ({ stdout: "" }));
  const [, state, start] = /^\s*(\S+)\s+(.+?)\s*$/.exec(stdout) ?? [];
  return isGone(state) ? undefined : start;
}

function isGone(state: string | undefined): boolean {
  return state === undefined || /^[ZX]/.test(state);
}
