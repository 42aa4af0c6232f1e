import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { readRateLimitConfig } from "../../../services/ratelimit/config.ts";
import {
  createCounters,
  RedisAwayError,
} from "../../../services/ratelimit/store/counters.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const CHECK = { key: "key", spec: "g 0 1 1000000 1 1", amount: "1" };

/** The limit as the service has it by default. */
const { RATELIMIT_REDIS_TIMEOUT_MS: timeoutMs } = readRateLimitConfig({
  // Any file that can be read will do.
  WEFT_TLS_CA: import.meta.filename,
  WEFT_TLS_CERT: import.meta.filename,
  WEFT_TLS_KEY: import.meta.filename,
  WEFT_PAGE_TOKEN_SECRET: "x".repeat(32),
});

/** Counts in a Redis that takes every command and answers none. */
function setup() {
  const silent = vi.fn(() => new Promise<never>(() => undefined));
  const missed = vi.fn();
  const counters = createCounters({
    redis: { evalsha: silent, eval: silent },
    presence: { isHere: () => true, missed, close: () => undefined },
    log: { uncounted: () => undefined, counted: () => undefined },
    timeoutMs,
  });
  const failed = vi.fn();
  const ask = () => void counters.decide([CHECK]).catch(failed);
  return { ask, failed, missed, silent };
}

it("waits for a Redis that hangs as long as it is told to, and no longer", async () => {
  const { ask, failed, missed, silent } = setup();
  ask();
  await vi.advanceTimersToNextTimerAsync();
  expect(silent).toHaveBeenCalledOnce();

  await vi.advanceTimersByTimeAsync(timeoutMs - 1);
  expect(failed).not.toHaveBeenCalled();

  await vi.advanceTimersByTimeAsync(1);
  // What has arrived by then is read first.
  await vi.advanceTimersToNextTimerAsync();
  expect(failed).toHaveBeenCalledExactlyOnceWith(expect.any(RedisAwayError));
  expect(missed).toHaveBeenCalledOnce();
});

it("leaves the larger half of the edge's 10 ms to a decision without Redis", () => {
  // A timer may be a millisecond late by itself.
  expect(timeoutMs + 1).toBeLessThanOrEqual(5);
});
