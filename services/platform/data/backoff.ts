import { setTimeout as delay } from "node:timers/promises";

/**
 * A random wait in milliseconds before try number `attempt` + 1, between 0 and
 * min(cap, base * 2^(attempt - 1)): "full jitter", which spreads contenders
 * best (AWS Architecture Blog, "Exponential Backoff And Jitter").
 */
export function fullJitter(
  attempt: number,
  baseMs: number,
  capMs: number,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.ceil(random() * ceiling);
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
