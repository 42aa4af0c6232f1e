import type { Logger } from "../../platform/runtime/logger.ts";

const SAY_EVERY_MS = 60_000;

/** Tells the log that decisions are answered without Redis, and when they are counted again. */
export interface UncountedLog {
  uncounted(cause: unknown): void;
  counted(): void;
}

/** Says the cause where it begins, and while it lasts once a minute: there may be thousands of decisions a second. */
export function createUncountedLog(deps: {
  readonly logger: Logger;
  /** Of a monotonic clock. */
  readonly nowMs: () => number;
}): UncountedLog {
  let saidAtMs = Number.NEGATIVE_INFINITY;
  let said = false;
  return {
    uncounted(cause) {
      const nowMs = deps.nowMs();
      if (nowMs - saidAtMs < SAY_EVERY_MS) return;
      saidAtMs = nowMs;
      said = true;
      deps.logger.warn({ err: cause }, "decisions are answered without Redis");
    },
    counted() {
      if (!said) return;
      said = false;
      deps.logger.info({}, "decisions are counted in Redis again");
    },
  };
}
