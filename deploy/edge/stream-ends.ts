import { setHeader, typed, type EnvoyConfig } from "./envoy-config.ts";
import { RATE_LIMIT, rateLimitFilter } from "./rate-limit-filter.ts";
import type { RateLimitOptions } from "./rate-limits.ts";
import type { MethodRoutes } from "./route-table.ts";

/**
 * What a stream's place is lent to. The edge makes it up: a request's id may be its client's, and all streams of one id would
 * share a place.
 */
const STREAM_HEADER = "x-weft-stream-id";
export const STREAM_ID: EnvoyConfig = {
  request_headers: {
    header_name: STREAM_HEADER,
    descriptor_key: "request_id",
    skip_if_absent: true,
  },
};

/** The stage of descriptors that tell an end. */
export const ENDS = 2;

/** Off, but on routes of streams. Before the filters that ask. */
export function streamFilters(options: RateLimitOptions): EnvoyConfig[] {
  return [streamIdFilter(), streamEndFilter(options)].map((filter) => ({
    ...filter,
    disabled: true,
  }));
}

/** For a route: gives a stream the id that its limits tell it by, and has its end told. */
export function streamFiltersOn(
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

function streamIdFilter(): EnvoyConfig {
  return { name: STREAM_IDS, typed_config: typed(HEADER_MUTATION, {}) };
}

const STREAM_ENDS = "weft.stream-ends";
/** Nobody waits for an end to be heard. A restart of the service is over by then, and else the place's lease ends it. */
const TIMEOUT_MS = 60_000;
/** An end may be heard twice. Envoy draws a pause evenly from zero to the interval, so these last as long as the above. */
const RETRIES: EnvoyConfig = {
  retry_on: "connect-failure,refused-stream,reset,unavailable",
  num_retries: 60,
  retry_back_off: { base_interval: "0.2s", max_interval: "2s" },
};

/**
 * Tells the service that a stream ended. A filter that is still asking when its stream is cancelled tells nothing, so this is
 * one that never asks: whatever becomes of those that do, it has seen the stream.
 */
function streamEndFilter({ domain }: RateLimitOptions): EnvoyConfig {
  return rateLimitFilter({
    name: STREAM_ENDS,
    stage: ENDS,
    domain,
    timeoutMs: TIMEOUT_MS,
    retries: RETRIES,
  });
}
