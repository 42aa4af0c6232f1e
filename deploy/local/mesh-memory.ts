import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface MemoryUse {
  /** Resident megabytes by name, with all child processes. */
  readonly byName: Readonly<Record<string, number>>;
  readonly totalMegabytes: number;
}

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly kilobytes: number;
}

/**
 * Sums resident memory over each process's tree, less the trees that have a name
 * of their own. Pages that processes share (Postgres's buffers) count once for
 * each of them, so the sum is an upper bound.
 */
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
  const byName = Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => [
      name,
      Math.round(treeKilobytes(lines, pid, named) / 1024),
    ]),
  );
  const totalMegabytes = Object.values(byName).reduce((a, b) => a + b, 0);
  return { byName, totalMegabytes };
}

function parseLine(line: string): ProcessLine {
  const [pid = 0, parent = 0, kilobytes = 0] = line
    .trim()
    .split(/\s+/)
    .map(Number);
  return { pid, parent, kilobytes };
}

function treeKilobytes(
  lines: readonly ProcessLine[],
  pid: number,
  named: ReadonlySet<number>,
): number {
  return lines.reduce((sum, line) => {
    if (line.pid === pid) return sum + line.kilobytes;
    if (line.parent !== pid || named.has(line.pid)) return sum;
    return sum + treeKilobytes(lines, line.pid, named);
  }, 0);
}
