import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

export interface MemoryUse {
  /** Resident megabytes by name, with all child processes. */
  readonly byName: Readonly<Record<string, number>>;
  /**
   * What all of them take together. Pages that processes share (Node's program in every service, Postgres's buffers)
   * count once where the system tells (Linux), else once for each.
   */
  readonly totalMegabytes: number;
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
  const { stdout } = await promisify(execFile)("ps", [
    "-A",
    "-o",
    "pid=,ppid=,rss=",
  ]);
  const lines = stdout.trim().split("\n").map(parseLine);
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

/** A process's own pages and its share of those that others have too (PSS), in kilobytes; all of them where nobody tells. */
async function shareOf({ pid, kilobytes }: ProcessLine): Promise<number> {
  try {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? kilobytes);
  } catch {
    // Not Linux, not our process, or gone: what ps told stands.
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
