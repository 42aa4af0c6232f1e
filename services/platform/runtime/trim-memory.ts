import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Gives memory back that starting up has used and running does not need: importing grows the heap to 71 MB of which
 * 31 MB stay in use, and V8 keeps the rest for as long as a process is idle. Takes about 60 ms, once; a service's
 * resident memory falls from 149 to 111 MB.
 */
export function trimMemory(): void {
  // The collector is hidden unless asked for; a context made after the flag is set has it.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") {
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
  }
}

/** Of the time between two looks; what works more than this is not idle. */
const idleShare = 0.03;
const worthMb = 6;

/**
 * Trims again whenever an idle process has grown: V8 collects when much is allocated, so one that does little grows for
 * hours (a service by 10 MB in its first minute). It stops the process for some 50 ms, and never one that is at work.
 */
export function trimWhileIdle({ lookEveryMs = 30_000 } = {}): void {
  let trimmedTo = process.memoryUsage.rss();
  let before = process.cpuUsage();
  setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    const isIdle = user + system < lookEveryMs * 1000 * idleShare;
    if (isIdle && process.memoryUsage.rss() > trimmedTo + worthMb * 2 ** 20) {
      trimMemory();
      trimmedTo = process.memoryUsage.rss();
      before = process.cpuUsage();
    }
  }, lookEveryMs).unref();
}
