import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

export interface MemoryUse {
  /** Resident megabytes by name, with all child processes. */
  readonly byName: Readonly<Record<string, number>>;
  /**
   * What all of them take together. Pages that processes share (Node's program in every service, Postgres's buffers)
   * count once where the system tells (Linux), else once for each. Undefined where nobody tells anything.
   */
  readonly totalMegabytes: number | undefined;
}

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly kilobytes: number;
}

/** Measures each process's tree, less the trees that have a name of their own. */
export async function measureMemory(
  pids: Readonly<Record<string, number>>,
): Promise<MemoryUse> {
  const lines = (await linesOfProc()) ?? (await linesOfPs());
  if (lines === undefined) return { byName: {}, totalMegabytes: undefined };
  const named = new Set(Object.values(pids));
  const trees = Object.entries(pids).map(([name, pid]) => ({
    name,
    processes: treeOf(lines, pid, named),
  }));
  const byName = Object.fromEntries(
    trees.map(({ name, processes }) => [
      name,
      megabytes(processes.map(({ kilobytes }) => kilobytes)),
    ]),
  );
  const shares = trees.flatMap(({ processes }) => processes.map(shareOf));
  return { byName, totalMegabytes: megabytes(await Promise.all(shares)) };
}

/** Linux tells by itself: slim images have no ps. */
async function linesOfProc(): Promise<ProcessLine[] | undefined> {
  const entries = await readdir("/proc").catch(() => []);
  const pids = entries.filter((entry) => /^\d+$/.test(entry));
  // Without a status: gone since the list, or not Linux's /proc.
  const statuses = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/status`, "utf8").catch(() => "")),
  );
  const lines = statuses.flatMap((status) =>
    status === "" ? [] : [parseStatus(status)],
  );
  return lines.length === 0 ? undefined : lines;
}

/** proc(5): `Name:\tvalue`, memory in kB; a kernel thread and a zombie have none. */
function parseStatus(status: string): ProcessLine {
  const number = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return {
    pid: number("Pid"),
    parent: number("PPid"),
    kilobytes: number("VmRSS"),
  };
}

async function linesOfPs(): Promise<ProcessLine[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)("ps", [
      "-A",
      "-o",
      "pid=,ppid=,rss=",
    ]);
    return stdout.trim().split("\n").map(parseLine);
  } catch {
    // Not there. What a mesh takes is told where it can be, and no reason to end it.
    return undefined;
  }
}

/** A process's own pages and its share of those that others have too (PSS), in kilobytes; all of them where nobody tells. */
async function shareOf({ pid, kilobytes }: ProcessLine): Promise<number> {
  try {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? kilobytes);
  } catch {
    // Not Linux, not our process, or gone: what was told of all of them stands.
    return kilobytes;
  }
}

function megabytes(kilobytes: readonly number[]): number {
  return Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024);
}

function parseLine(line: string): ProcessLine {
  const [pid = 0, parent = 0, kilobytes = 0] = line
    .trim()
    .split(/\s+/)
    .map(Number);
  return { pid, parent, kilobytes };
}

function treeOf(
  lines: readonly ProcessLine[],
  pid: number,
  named: ReadonlySet<number>,
): ProcessLine[] {
  return lines.flatMap((line) => {
    if (line.pid === pid) return [line];
    if (line.parent !== pid || named.has(line.pid)) return [];
    return treeOf(lines, line.pid, named);
  });
}
