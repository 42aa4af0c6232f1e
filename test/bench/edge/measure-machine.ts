import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

const WATCH_MS = 5_000;
/** What a decision may take; a pause as long as that makes every call under way take longer. */
const PAUSE_MS = 5;

/** What no server of the machine can be better than. */
export interface MachinePauses {
  /** Of the time of a core. */
  readonly pausedShare: number;
  readonly longestMs: number;
}

/**
 * How long the machine itself stands still, as a virtual one does while its host runs something else: what is missing to
 * threads, one a core, that only read the clock. That was nothing one hour and 2.8 % of the time the next.
 */
export async function measureMachine(): Promise<MachinePauses> {
  const cores = availableParallelism();
  const found = await Promise.all(Array.from({ length: cores }, watchClock));
  const pauses = found.flat();
  const paused = pauses.reduce((total, each) => total + each, 0);
  return {
    pausedShare: Number((paused / WATCH_MS / cores).toFixed(4)),
    longestMs: Number(pauses.reduce((a, b) => Math.max(a, b), 0).toFixed(1)),
  };
}

async function watchClock(): Promise<number[]> {
  const worker = new Worker(new URL("./watch-clock.ts", import.meta.url), {
    workerData: { ms: WATCH_MS, pauseMs: PAUSE_MS },
  });
  const [pauses] = (await once(worker, "message")) as [number[]];
  return pauses;
}
