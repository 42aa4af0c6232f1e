import { readFile } from "node:fs/promises";

/** What each process has taken so far, in microseconds: Linux counts in hundredths of a second. */
export async function cpuOf(
  pids: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const used: Record<string, number> = {};
  for (const [name, pid] of Object.entries(pids)) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const [, fields = ""] = stat.split(") ");
    const [user, system] = fields.split(" ").slice(11, 13);
    used[name] = (Number(user) + Number(system)) * 10_000;
  }
  return used;
}

/** How long a process's first thread, which is all that Node runs code on, has waited for a core, in milliseconds. */
export async function waitedForCore(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/task/${pid}/schedstat`, "utf8");
  const [, waitedNs] = stat.split(" ");
  return Number(waitedNs) / 1e6;
}
