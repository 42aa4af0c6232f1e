import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** What a process took from its start to its end. */
export interface Measured {
  readonly seconds: number;
  /** User and system, of the process and its threads. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const POLL_MS = 10;
/** Linux counts in hundredths of a second for every program. */
const TICKS = 100;

/** Runs a program and watches it in /proc, so that ours and others' are measured alike. Throws where it fails. */
export async function runMeasured(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
  let [cpuSeconds, peakBytes] = [0, 0];
  const timer = setInterval(() => {
    const now = lookAt(child.pid ?? 0);
    cpuSeconds = Math.max(cpuSeconds, now.cpuSeconds);
    peakBytes = Math.max(peakBytes, now.peakBytes);
  }, POLL_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  const seconds = (performance.now() - startedAt) / 1000;
  clearInterval(timer);
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${String(code)}`);
  }
  return { seconds, cpuSeconds, peakBytes };
}

function lookAt(pid: number): Omit<Measured, "seconds"> {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Behind the name, which may hold anything: user time is the 12th field, system time the 13th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    const peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
    return { cpuSeconds: ticks / TICKS, peakBytes: peak * 1024 };
  } catch {
    // It has just ended.
    return { cpuSeconds: 0, peakBytes: 0 };
  }
}
