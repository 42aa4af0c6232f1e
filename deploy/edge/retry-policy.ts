import { duration, type EnvoyConfig } from "./envoy-config.ts";
import type { MethodRoutes } from "./route-table.ts";

const BASE_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 300;
/** A service that restarts is back within about 3 s; attempts go on this long, on average, and then the answer is 503. */
const WINDOW_MS = 4_200;
/** Envoy draws every pause evenly from zero to the interval. */
const MEAN_PAUSE_MS = MAX_INTERVAL_MS / 2;

/**
 * Sends a call again that found no service, or was refused unread: it was never processed (RFC 9113, section 8.7), so that is
 * safe whatever the call does. One that was lost on the way goes again only where the contract calls that safe. An answer of
 * UNAVAILABLE is the service's own word and goes to the client, with its retry time: repeated here, each such answer of a
 * service in trouble would cost it 28 more calls. Many short pauses rather than few growing ones: the spread of their sum
 * decides how many calls a restart of 3 s fails (simulated: 28 pauses of up to 300 ms, 0.9 %; 10 of up to 1 s, 16 %). The
 * route's time limit ends it in any case.
 */
export function retryPolicy(method: MethodRoutes): EnvoyConfig {
  const window = Math.min(WINDOW_MS, 0.84 * method.timeoutMs);
  return {
    retry_on:
      method.retry === "safe"
        ? "connect-failure,refused-stream,reset"
        : "connect-failure,refused-stream",
    num_retries: Math.max(1, Math.round(window / MEAN_PAUSE_MS)),
    retry_back_off: {
      base_interval: duration(BASE_INTERVAL_MS),
      max_interval: duration(MAX_INTERVAL_MS),
    },
  };
}
