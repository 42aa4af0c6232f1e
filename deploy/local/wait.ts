import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  /** What is awaited, as it reads after "timed out waiting for". */
  readonly what: string;
  readonly deadlineMs: number;
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Polls `condition` until it is true. A condition that throws counts as "not
 * yet"; its last error is the cause when the deadline passes.
 */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  options: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + options.deadlineMs;
  let lastError: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      if (await condition()) return;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(
        `timed out after ${options.deadlineMs} ms waiting for ${options.what}`,
        { cause: lastError },
      );
    }
    await delay(options.intervalMs ?? 50, undefined, {
      signal: options.signal,
    });
  }
}
