import { Code, ConnectError } from "@connectrpc/connect";
import { setTimeout as sleep } from "node:timers/promises";
import { RetryInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { endOfCall } from "./map-error.ts";
import { reasonOf } from "./status.ts";

/** Bounds what retries may add to the load of a callee that is in trouble. */
export interface RetryBudget {
  /** Counts a first attempt. */
  deposit(): void;
  /** Whether one retry may be made now. */
  withdraw(): boolean;
}

/**
 * A budget of retries: a tenth of a retry for each call, so that retries add at most 10 % load, and ten at the start.
 * The balance never exceeds a hundred.
 */
export function createRetryBudget(): RetryBudget {
  let balance = 10;
  return {
    deposit() {
      balance = Math.min(100, balance + 0.1);
    },
    withdraw() {
      if (balance < 1) {
        return false;
      }
      balance -= 1;
      return true;
    },
  };
}

export interface RetryOptions {
  readonly budget: RetryBudget;
  /** Whether the same request may be sent again. */
  readonly retriable: boolean;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds that are left for attempts and waits together. */
  remainingMs(): number;
}

const maxAttempts = 4;
const baseDelayMs = 50;
const maxDelayMs = 1_000;

/**
 * Runs `attempt` until it answers. Only UNAVAILABLE is tried again, after exponential back-off with full jitter ("Exponential
 * Backoff And Jitter", AWS Architecture Blog) or the delay that the answer asks for, within the budget and the deadline.
 */
export async function withRetries<T>(
  options: RetryOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  options.budget.deposit();
  for (let made = 1; ; made += 1) {
    try {
      return await attempt();
    } catch (error) {
      const delayMs = delayBefore(made, error);
      const mayRetry =
        options.retriable &&
        made < maxAttempts &&
        isRetriableError(error) &&
        delayMs < options.remainingMs() &&
        options.budget.withdraw();
      if (!mayRetry) {
        throw error;
      }
      await pause(delayMs, options.signal);
    }
  }
}

async function pause(
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    throw signal?.aborted ? endOfCall(signal) : error;
  }
}

function isRetriableError(error: unknown): boolean {
  return (
    error instanceof ConnectError &&
    error.code === Code.Unavailable &&
    // An open breaker answers the same until it closes.
    reasonOf(error) !== "BREAKER_OPEN"
  );
}

function delayBefore(attempt: number, error: unknown): number {
  const ceiling = Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1));
  return Math.max(Math.random() * ceiling, askedDelayMs(error));
}

function askedDelayMs(error: unknown): number {
  if (!(error instanceof ConnectError)) {
    return 0;
  }
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : 0;
}
