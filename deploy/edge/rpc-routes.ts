import { requiredScopes } from "./claims-filter.ts";
import { setHeader, type EnvoyConfig } from "./envoy-config.ts";
import { rateLimits, type RateLimitOptions } from "./rate-limits.ts";
import { retryPolicy } from "./retry-policy.ts";
import {
  bodyLimit,
  grpcTimeLimit,
  timeLimit,
  TRANSCODER_OFF,
} from "./route-filters.ts";
import { streamFiltersOn } from "./stream-ends.ts";
import { BROWSER_HEADERS_OFF } from "./security-headers.ts";
import type { MethodRoutes, ServiceRoutes } from "./route-table.ts";

/**
 * Two routes a method, on its RPC path: gRPC goes to the service's grpc-js server; Connect and gRPC-Web, which are all that
 * is left, to its connect-node server.
 */
export function rpcRoutes(
  service: ServiceRoutes,
  limits: RateLimitOptions | undefined,
): EnvoyConfig[] {
  return service.methods.flatMap((method) => [
    {
      name: `${method.path.slice(1)} grpc`,
      // Looks at the content type alone; gRPC-Web has another.
      match: { path: method.path, grpc: {} },
      route: {
        ...action(service, method, "grpc"),
        ...rateLimits(method, limits),
      },
      decorator: { operation: method.path.slice(1), propagate: false },
      typed_per_filter_config: {
        ...requiredScopes(method),
        ...streamFiltersOn(method, limits),
        ...BROWSER_HEADERS_OFF,
        ...TRANSCODER_OFF,
        // Of a caller with a token its service reads up to its own limit.
        ...(method.access === "PUBLIC" ? bodyLimit(method) : {}),
      },
    },
    {
      name: `${method.path.slice(1)} connect`,
      match: { path: method.path },
      route: {
        ...action(service, method, "connect"),
        ...rateLimits(method, limits),
      },
      decorator: { operation: method.path.slice(1), propagate: false },
      ...(method.stream === "bidi" ? TELL_HTTP_VERSION : {}),
      typed_per_filter_config: {
        ...requiredScopes(method),
        ...streamFiltersOn(method, limits),
        ...TRANSCODER_OFF,
        ...bodyLimit(method),
      },
    },
  ]);
}

/** A service sees HTTP/2 from the edge whatever the client speaks, and a stream both ways can't be had over 1.1. */
const TELL_HTTP_VERSION = {
  request_headers_to_add: [setHeader("x-weft-http-version", "%PROTOCOL%")],
};

function action(
  service: ServiceRoutes,
  method: MethodRoutes,
  upstream: "grpc" | "connect",
): EnvoyConfig {
  return {
    cluster: `${service.service}-${upstream}`,
    ...(upstream === "grpc" ? grpcTimeLimit(method) : timeLimit(method)),
    retry_policy: retryPolicy(method),
  };
}
