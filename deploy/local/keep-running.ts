import { setTimeout as delay } from "node:timers/promises";
import type { Component } from "./component.ts";
import { HEALTHY_MS, restartBackoff } from "./restart-backoff.ts";

/** So often in a row it dies, or fails to start, until it is left alone. */
const MOST_DEATHS = 6;

export interface KeepRunningDeps {
  readonly onProgress: (line: string) => void;
  /** The component's pid is another, or none. */
  readonly onPids?: () => void;
  /** Ends the keeping, and a start under way with it. */
  readonly signal: AbortSignal;
}

/**
 * Starts a component that dies again, with backoff, on the ports and data that it had. Resolves when it was stopped on
 * purpose, when the signal aborts, and when it is given up: that line names the last reason.
 */
export async function keepRunning(
  deps: KeepRunningDeps,
  component: Component,
): Promise<void> {
  const { name } = component;
  let deaths = 0;
  for (;;) {
    const startedAt = performance.now();
    const how = await component.exited;
    if (how === undefined || deps.signal.aborted) return;
    deps.onPids?.();
    if (performance.now() - startedAt > HEALTHY_MS) deaths = 0;
    let reason: string | undefined = `ended by itself (${how})`;
    while (reason !== undefined) {
      if (deaths === MOST_DEATHS) {
        deps.onProgress(
          `${name}: given up after ${deaths} starts: ${reason}. The mesh goes on without it; stop and start it to try anew.`,
        );
        return;
      }
      const wait = restartBackoff(deaths++);
      deps.onProgress(`${name}: ${reason}; starting it again in ${wait} ms`);
      reason = await reviveAfter(component, wait, deps.signal);
      if (deps.signal.aborted) return;
    }
    deps.onPids?.();
    deps.onProgress(`${name}: ready again`);
  }
}

/** Returns why it could not be started, if so. */
async function reviveAfter(
  component: Component,
  waitMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await delay(waitMs, undefined, { signal });
    await component.revive?.(signal);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
