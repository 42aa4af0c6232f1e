import { MAX_BODY_BYTES } from "./body-limit.ts";
import { duration, typed, type EnvoyConfig } from "./envoy-config.ts";
import type { MethodRoutes } from "./route-table.ts";

/** Left on, the transcoder answers Connect calls with 404 (tried with Envoy 1.40). */
export const TRANSCODER_OFF: EnvoyConfig = {
  "envoy.filters.http.grpc_json_transcoder": typed(
    "envoy.config.route.v3.FilterConfig",
    {
      disabled: true,
    },
  ),
};

/** Refuses a body over the limit with 413, before a service sees it. Not for streams: it holds the whole body. */
export const BODY_LIMITED = bufferUpTo(MAX_BODY_BYTES);

/**
 * For a refusal: answering before the body has arrived resets the stream, and curl 7.88 (Debian 12) then loses the answer.
 */
export const BODY_READ_FIRST = bufferUpTo(64 * 1024);

/**
 * The contract's time limit of a call, retries included, from its first byte. Not Envoy's `timeout`: that cuts streams, ends
 * gRPC calls with UNAVAILABLE, and its default is 15 s. `grpc_timeout_header_max` lets a client ask for less, never for more.
 */
export function timeLimit({
  timeoutMs,
}: Pick<MethodRoutes, "timeoutMs">): EnvoyConfig {
  const limit = duration(timeoutMs);
  return {
    timeout: "0s",
    idle_timeout: limit,
    max_stream_duration: {
      max_stream_duration: limit,
      grpc_timeout_header_max: limit,
    },
  };
}

function bufferUpTo(bytes: number): EnvoyConfig {
  return {
    "envoy.filters.http.buffer": typed(
      "envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
      {
        buffer: { max_request_bytes: bytes },
      },
    ),
  };
}
