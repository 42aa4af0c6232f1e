import { readdirSync, readFileSync } from "node:fs";
import type { BenchMesh } from "./bench-mesh.ts";

/** CPU time by process, in milliseconds; a component's children count with it. */
export type CpuTime = Readonly<Record<string, number>>;

// Linux counts in ticks of 10 ms on every architecture that Node runs on (USER_HZ).
const MS_PER_TICK = 10;

/** What each process of the mesh, and this one, has used so far; empty where there is no /proc. */
export function cpuTime({ mesh }: Pick<BenchMesh, "mesh">): CpuTime {
  const ticks = readTicks();
  const used = Object.entries(mesh.pids()).map(
    ([name, pid]): [string, number] => {
      const own = ticks.get(pid);
      const children = [...ticks.values()].filter(
        ({ parent }) => parent === pid,
      );
      return [
        name,
        (own?.withReaped ?? 0) + sum(children.map((child) => child.own)),
      ];
    },
  );
  const caller = process.cpuUsage();
  return ticks.size === 0
    ? {}
    : {
        ...Object.fromEntries(used),
        caller: (caller.user + caller.system) / 1000,
      };
}

/** The difference of two readings, for each of so many orders, in milliseconds; `total` last. */
export function cpuPerOrder(
  before: CpuTime,
  after: CpuTime,
  orders: number,
): CpuTime {
  const each = Object.entries(after).map(([name, ms]): [string, number] => [
    name,
    round((ms - (before[name] ?? 0)) / orders),
  ]);
  const total = round(sum(each.map(([, ms]) => ms)));
  return each.length === 0 ? {} : { ...Object.fromEntries(each), total };
}

interface Ticks {
  readonly parent: number;
  readonly own: number;
  /** With what children used that have ended since. */
  readonly withReaped: number;
}

function readTicks(): Map<number, Ticks> {
  const all = new Map<number, Ticks>();
  for (const name of listProcesses()) {
    const stat = readStat(name);
    // The second field is the command in brackets, in which anything may stand.
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [, parent = 0] = fields;
    const [user = 0, system = 0, reapedUser = 0, reapedSystem = 0] =
      fields.slice(11, 15);
    const own = (user + system) * MS_PER_TICK;
    const reaped = (reapedUser + reapedSystem) * MS_PER_TICK;
    all.set(Number(name), { parent, own, withReaped: own + reaped });
  }
  return all;
}

function listProcesses(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
