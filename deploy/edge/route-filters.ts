import { MAX_BODY_BYTES, MAX_PUBLIC_BODY_BYTES } from "./body-limit.ts";
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
export function bodyLimit({
  access,
  stream,
}: Pick<MethodRoutes, "access" | "stream">): EnvoyConfig {
  if (stream !== "unary") return {};
  return bufferUpTo(
    access === "PUBLIC" ? MAX_PUBLIC_BODY_BYTES : MAX_BODY_BYTES,
  );
}

/**
 * For a refusal: answering before the body has arrived resets the stream, and curl 7.88 (Debian 12) then loses the answer.
 */
export const BODY_READ_FIRST = bufferUpTo(64 * 1024);

/** How much longer than its service the edge waits for the end of a call. */
const AFTER_SERVICE_MS = 1_000;

/**
 * The contract's time limit of a call, retries included, from its first byte; for a service that has gone silent. A service
 * that lives ends the call itself, at the limit or at the deadline that its client stated, and then says so: an answer that
 * has begun the edge could only cut off. Not Envoy's `timeout`: that cuts streams, ends gRPC calls with UNAVAILABLE, and its
 * default is 15 s.
 */
export function timeLimit({
  timeoutMs,
}: Pick<MethodRoutes, "timeoutMs">): EnvoyConfig {
  const limit = duration(timeoutMs + AFTER_SERVICE_MS);
  return {
    timeout: "0s",
    idle_timeout: limit,
    max_stream_duration: { max_stream_duration: limit },
  };
}

/**
 * The same for a gRPC call. Without `grpc_timeout_header_max` its service would not learn its client's deadline: Envoy takes
 * the header away (tried with 1.40). With it Envoy keeps that deadline too, which such a client has seen pass itself.
 */
export function grpcTimeLimit(
  method: Pick<MethodRoutes, "timeoutMs">,
): EnvoyConfig {
  const limit = duration(method.timeoutMs + AFTER_SERVICE_MS);
  return {
    ...timeLimit(method),
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
