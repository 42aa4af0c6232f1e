import { headerIfMatches, textIfMatches } from "./cel-format.ts";
import { typed, type EnvoyConfig } from "./envoy-config.ts";

export const CORS_FILTER = "envoy.filters.http.cors";

const ALLOWED_HEADERS = [
  "authorization",
  "content-type",
  "connect-protocol-version",
  "connect-timeout-ms",
  "connect-accept-encoding",
  "connect-content-encoding",
  "grpc-timeout",
  "x-grpc-web",
  "x-user-agent",
  "idempotency-key",
  "traceparent",
  "tracestate",
];

/** What a browser's code may read; without the three of gRPC, a gRPC-Web client sees no error at all. */
const EXPOSED_HEADERS = [
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
  "connect-content-encoding",
  "idempotency-replayed",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "x-request-id",
];

const LOCALHOST = "https?://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?";

/**
 * The headers by which a page may read an answer. Envoy's filter sets them too, but not on answers that a route gives by
 * itself, such as the refusal of an unknown path.
 */
export function corsResponseHeaders(
  options: CorsOptions,
): Readonly<Record<string, string>> {
  const origins = [
    ...options.allowedOrigins.map((origin) => origin.replaceAll(".", "\\.")),
    ...(options.allowLocalhost ? [LOCALHOST] : []),
  ];
  if (origins.length === 0) return {};
  const regex = `^(${origins.join("|")})$`;
  const exposed = EXPOSED_HEADERS.join(", ");
  return {
    "access-control-allow-origin": headerIfMatches("origin", regex),
    "access-control-expose-headers": textIfMatches("origin", regex, exposed),
  };
}

export interface CorsOptions {
  readonly allowedOrigins: readonly string[];
  /** Any port of this machine besides. */
  readonly allowLocalhost: boolean;
}

/** Lets code on the given origins call every path; requests without an `Origin` are not concerned. */
export function corsPolicy(options: CorsOptions): EnvoyConfig {
  const localhost = { safe_regex: { regex: LOCALHOST } };
  return typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", {
    allow_origin_string_match: [
      ...options.allowedOrigins.map((origin) => ({ exact: origin })),
      ...(options.allowLocalhost ? [localhost] : []),
    ],
    allow_methods: "GET, POST, PUT, PATCH, DELETE",
    allow_headers: ALLOWED_HEADERS.join(", "),
    expose_headers: EXPOSED_HEADERS.join(", "),
    max_age: "7200",
  });
}
