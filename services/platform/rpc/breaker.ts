import { metrics } from "@opentelemetry/api";
import { Code, ConnectError } from "@connectrpc/connect";
import CircuitBreaker from "opossum";
import type { Logger } from "../runtime/logger.ts";
import { statusError } from "./status.ts";

/** How a breaker judges; the defaults suit calls inside a mesh. */
export interface BreakerOptions {
  /** Opens when so many percent of the calls of the last 10 s failed. Default 50. */
  readonly errorThresholdPercentage?: number;
  /** But not before so many calls were made in that time. Default 20. */
  readonly volumeThreshold?: number;
  /** How long it stays open before one call may try again, in milliseconds. Default 5,000. */
  readonly resetAfterMs?: number;
}

/** Guards the calls to one callee: fails at once while it is known not to answer. */
export interface Breaker {
  /** @throws ConnectError UNAVAILABLE with BREAKER_OPEN, without calling, while the breaker is open. */
  run<T>(attempt: () => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Makes the breaker of a callee and a class of its methods. Only what speaks of the callee's health counts as a failure:
 * UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, UNKNOWN; a refusal is an answer.
 */
export function createBreaker(
  deps: { readonly logger: Logger },
  callee: string,
  methodClass: string,
  options: BreakerOptions = {},
): Breaker {
  const resetAfterMs = options.resetAfterMs ?? 5_000;
  const breaker = new CircuitBreaker(
    (attempt: () => Promise<unknown>) => attempt(),
    {
      // The call has its own deadline.
      timeout: false,
      errorThresholdPercentage: options.errorThresholdPercentage ?? 50,
      volumeThreshold: options.volumeThreshold ?? 20,
      resetTimeout: resetAfterMs,
      errorFilter: (error: unknown) => !speaksOfHealth(error),
      enableSnapshots: false,
      // They keep the duration of each call of the last 10 s, and sort them all at each failure.
      rollingPercentilesEnabled: false,
    },
  );
  const labels = { callee, class: methodClass };
  breaker.on("open", () => deps.logger.warn(labels, "breaker opened"));
  breaker.on("close", () => deps.logger.info(labels, "breaker closed"));
  metrics
    .getMeter("weft.rpc")
    .createObservableGauge("weft.breaker.state", {
      description: "0 closed, 1 half open, 2 open",
    })
    .addCallback((gauge) => gauge.observe(stateOf(breaker), labels));
  return {
    async run<T>(attempt: () => Promise<T>) {
      try {
        // opossum's type forgets that `fire` returns what the attempt did.
        return (await breaker.fire(attempt)) as T;
      } catch (error) {
        if (CircuitBreaker.isOurError(error as Error)) {
          throw breakerOpen(callee, resetAfterMs);
        }
        throw error;
      }
    },
    close: () => breaker.shutdown(),
  };
}

function speaksOfHealth(error: unknown): boolean {
  return error instanceof ConnectError ? healthCodes.has(error.code) : true;
}

const healthCodes: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Internal,
  Code.Unknown,
]);

function stateOf(breaker: Pick<CircuitBreaker, "opened" | "halfOpen">): number {
  if (breaker.opened) {
    return 2;
  }
  return breaker.halfOpen ? 1 : 0;
}

function breakerOpen(callee: string, retryAfterMs: number): ConnectError {
  return statusError({
    code: Code.Unavailable,
    reason: "BREAKER_OPEN",
    message: `${callee} failed too often just now; it is left alone for a moment`,
    metadata: { callee },
    retryAfterMs,
  });
}
