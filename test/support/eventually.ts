import { setTimeout as delay } from "node:timers/promises";

/** Waits until `condition` holds, looking every 20 ms; fails with `what` after the deadline. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 15_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) {
      throw new Error(`not within ${deadlineMs} ms: ${what}`);
    }
    await delay(20);
  }
}
