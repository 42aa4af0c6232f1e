import { CALLER_ADDRESS } from "./caller-address.ts";
import { CALLER_METADATA } from "./claims-filter.ts";
import {
  duration,
  setHeader,
  typed,
  type EnvoyConfig,
} from "./envoy-config.ts";
import type { MethodRoutes } from "./route-table.ts";

const DOMAIN = "edge";
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
    streamIdFilter(),
    streamEndFilter(options),
    rateLimitFilter("envoy.filters.http.ratelimit", OPEN, options),
    ...(options.failClosed.length === 0
      ? []
      : [rateLimitFilter(closed, CLOSED, options)]),
  ];
}

const OPEN = 0;
const CLOSED = 1;
const ENDS = 2;

function rateLimitFilter(
  name: string,
  stage: number,
  options: RateLimitOptions,
): EnvoyConfig {
  return {
    name,
    typed_config: typed(RATE_LIMIT, {
      ...askingService(stage, options),
      failure_mode_deny: stage === CLOSED,
      // Not UNAVAILABLE, which clients are told to try again at once (AIP-194).
      rate_limited_as_resource_exhausted: true,
      status_on_error: { code: "TooManyRequests" },
      disable_x_envoy_ratelimited_header: true,
    }),
  };
}

/**
 * Tells the service that a stream ended. A filter that is still asking when its stream is cancelled tells nothing, so this is
 * one that never asks, and it stands before those that do: whatever becomes of them, it has seen the stream. Off, but on
 * routes of streams.
 */
function streamEndFilter(options: RateLimitOptions): EnvoyConfig {
  return {
    name: STREAM_ENDS,
    disabled: true,
    typed_config: typed(RATE_LIMIT, askingService(ENDS, options)),
  };
}

const RATE_LIMIT = "envoy.extensions.filters.http.ratelimit.v3.RateLimit";
const STREAM_ENDS = "weft.stream-ends";

function askingService(
  stage: number,
  { domain = DOMAIN, timeoutMs = TIMEOUT_MS }: RateLimitOptions,
): EnvoyConfig {
  return {
    domain,
    stage,
    timeout: duration(timeoutMs),
    rate_limit_service: {
      transport_api_version: "V3",
      grpc_service: {
        envoy_grpc: {
          cluster_name: "ratelimit-grpc",
          // The service reads the question, not the headers; each costs both sides.
          skip_envoy_headers: true,
        },
        timeout: duration(timeoutMs),
      },
    },
  };
}

/**
 * What a stream's place is lent to. The edge makes it up: a request's id may be its client's, and all streams of one id would
 * share a place.
 */
const STREAM_HEADER = "x-weft-stream-id";
const STREAM_ID: EnvoyConfig = {
  request_headers: {
    header_name: STREAM_HEADER,
    descriptor_key: "request_id",
    skip_if_absent: true,
  },
};

/** For a route: gives a stream the id that its limits tell it by, and has its end told. */
export function streamFilters(
  method: MethodRoutes,
  options: RateLimitOptions | undefined,
): EnvoyConfig {
  if (method.stream === "unary" || options === undefined) return {};
  return {
    [STREAM_IDS]: typed(`${HEADER_MUTATION}PerRoute`, {
      mutations: {
        request_mutations: [
          { append: setHeader(STREAM_HEADER, "%UNIQUE_ID%") },
        ],
      },
    }),
    [STREAM_ENDS]: typed(`${RATE_LIMIT}PerRoute`),
  };
}

const STREAM_IDS = "weft.stream-ids";
const HEADER_MUTATION =
  "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";

/** Off, but on routes of streams. */
function streamIdFilter(): EnvoyConfig {
  return {
    name: STREAM_IDS,
    disabled: true,
    typed_config: typed(HEADER_MUTATION, {}),
  };
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
