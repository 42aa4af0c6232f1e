import { parentPort, workerData } from "node:worker_threads";

/** A worker that does nothing but read the clock for so many milliseconds, and tells of each pause in which it could not. */
const { ms, pauseMs } = workerData as { ms: number; pauseMs: number };

const pauses: number[] = [];
const endsAt = performance.now() + ms;
for (let last = performance.now(); last < endsAt;) {
  const now = performance.now();
  if (now - last >= pauseMs) pauses.push(now - last);
  last = now;
}
parentPort?.postMessage(pauses);
