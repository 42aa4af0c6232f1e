import { CALLER_ADDRESS } from "./caller-address.ts";
import { CALLER_METADATA } from "./claims-filter.ts";
import type { EnvoyConfig } from "./envoy-config.ts";
import { rateLimitFilter } from "./rate-limit-filter.ts";
import type { MethodRoutes } from "./route-table.ts";
import { ENDS, STREAM_ID, streamFilters } from "./stream-ends.ts";

/** The service answers within 10 ms, Redis or not; the rest is for a machine that is short of CPU. */
const TIMEOUT_MS = 100;

/** How the edge asks the rate-limit service. */
export interface RateLimitOptions {
  /** What the service's file of numbers calls this edge, "edge" when left out. The service limits nothing of another. */
  readonly domain?: string;
  /** Rate classes whose calls are refused while the service does not answer; those of all others pass. */
  readonly failClosed: readonly string[];
  /** How long the edge waits for an answer, 100 ms when left out. */
  readonly timeoutMs?: number;
  /** Who calls where no token says it. */
  readonly anonymous: string;
}

/**
 * The descriptors of a method, the same on each of its paths. There is always one: a request without any would not be asked
 * about. A stream has a second one that tells its end, with which the service takes back its place.
 */
export function rateLimits(
  method: MethodRoutes,
  options: RateLimitOptions | undefined,
): EnvoyConfig {
  if (options === undefined) return {};
  const { rateClass } = method;
  const stage = options.failClosed.includes(rateClass) ? CLOSED : OPEN;
  const actions = [
    constant("rate_class", rateClass),
    constant("method", method.path.slice(1)),
    caller("tenant", options.anonymous),
    caller("subject", options.anonymous),
    caller("plan", undefined),
    CALLER_ADDRESS,
  ];
  if (method.stream === "unary") return { rate_limits: [{ stage, actions }] };
  const stream = [...actions, STREAM_ID];
  return {
    rate_limits: [
      { stage, actions: stream },
      {
        stage: ENDS,
        apply_on_stream_done: true,
        actions: [...stream, constant("release", "stream")],
      },
    ],
  };
}

/** One for open classes, and where there are closed ones another: a filter knows one behaviour. Stages tell them apart. */
export function rateLimitFilters(
  options: RateLimitOptions | undefined,
): EnvoyConfig[] {
  if (options === undefined) return [];
  const closed = "envoy.filters.http.ratelimit.closed";
  return [
    ...streamFilters(options),
    askingFilter("envoy.filters.http.ratelimit", OPEN, options),
    ...(options.failClosed.length === 0
      ? []
      : [askingFilter(closed, CLOSED, options)]),
  ];
}

const OPEN = 0;
const CLOSED = 1;

function askingFilter(
  name: string,
  stage: number,
  { domain, timeoutMs = TIMEOUT_MS }: RateLimitOptions,
): EnvoyConfig {
  return rateLimitFilter({
    name,
    stage,
    domain,
    timeoutMs,
    fields: {
      failure_mode_deny: stage === CLOSED,
      // Not UNAVAILABLE, which clients are told to try again at once (AIP-194).
      rate_limited_as_resource_exhausted: true,
      status_on_error: { code: "TooManyRequests" },
      disable_x_envoy_ratelimited_header: true,
    },
  });
}

function constant(key: string, value: string): EnvoyConfig {
  return { generic_key: { descriptor_key: key, descriptor_value: value } };
}

/** What the claims filter read of the token. Without a value and another one to take, the descriptor goes without it. */
function caller(key: string, otherwise: string | undefined): EnvoyConfig {
  return {
    metadata: {
      descriptor_key: key,
      metadata_key: {
        key: CALLER_METADATA.namespace,
        path: [{ key: CALLER_METADATA.key }, { key }],
      },
      ...(otherwise === undefined
        ? { skip_if_absent: true }
        : { default_value: otherwise }),
    },
  };
}
