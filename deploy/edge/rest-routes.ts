import { requiredScopes } from "./claims-filter.ts";
import { COMPRESSED } from "./compress-answers.ts";
import { setHeader, type EnvoyConfig } from "./envoy-config.ts";
import { parsePathTemplate, pathRegex } from "./path-template.ts";
import { NDJSON_RESPONSE, unwrapResponse } from "./rest-responses.ts";
import { rateLimits, type RateLimitOptions } from "./rate-limits.ts";
import { retryPolicy } from "./retry-policy.ts";
import { BODY_READ_FIRST, bodyLimit, timeLimit } from "./route-filters.ts";
import { strictJson } from "./strict-json.ts";
import { streamFiltersOn } from "./stream-ends.ts";
import { wrongVerb } from "./wrong-verb.ts";
import type {
  MethodRoutes,
  RestBinding,
  ServiceRoutes,
} from "./route-table.ts";

/** Tells a service that its stream is printed as lines of JSON (weft.rest.v1.StreamError). */
const REST_HEADER = "x-weft-rest";

/** A route for each REST binding, and for each path a refusal of the verbs it has not. */
export function restRoutes(
  services: readonly ServiceRoutes[],
  limits: RateLimitOptions | undefined,
): EnvoyConfig[] {
  const verbsByPath = new Map<string, string[]>();
  const routes = services.flatMap((service) =>
    service.methods.flatMap((method) =>
      method.rest.map((binding) => {
        const regex = pathRegex(parsePathTemplate(binding.pattern));
        verbsByPath.set(regex, [
          ...(verbsByPath.get(regex) ?? []),
          binding.verb,
        ]);
        return bindingRoute({ service, method, binding, regex, limits });
      }),
    ),
  );
  const refusals = [...verbsByPath].map(([regex, verbs]) =>
    wrongVerb({ safe_regex: { regex } }, verbs, BODY_READ_FIRST),
  );
  return [...routes, ...services.slice(0, 1).map(preflight), ...refusals];
}

/**
 * The CORS filter answers a browser's preflight, but only on a route to a cluster: on a refusal it was 405. From an origin that
 * is not allowed the request goes on, and the transcoder refuses it.
 */
function preflight({ service }: ServiceRoutes): EnvoyConfig {
  return {
    name: "preflight",
    match: {
      prefix: "/",
      headers: [
        { name: ":method", string_match: { exact: "OPTIONS" } },
        { name: "origin", present_match: true },
        { name: "access-control-request-method", present_match: true },
      ],
    },
    route: { cluster: `${service}-grpc`, ...timeLimit({ timeoutMs: 5_000 }) },
  };
}

function bindingRoute(bound: {
  readonly service: ServiceRoutes;
  readonly method: MethodRoutes;
  readonly binding: RestBinding;
  readonly regex: string;
  readonly limits: RateLimitOptions | undefined;
}): EnvoyConfig {
  const { service, method, binding, regex, limits } = bound;
  const isStream = method.stream !== "unary";
  return {
    name: `${binding.verb} ${binding.pattern}`,
    match: {
      safe_regex: { regex },
      headers: [{ name: ":method", string_match: { exact: binding.verb } }],
    },
    route: {
      cluster: `${service.service}-grpc`,
      ...timeLimit(method),
      ...rateLimits(method, limits),
      retry_policy: retryPolicy(method),
    },
    decorator: {
      operation: `${binding.verb} ${binding.pattern}`,
      propagate: false,
    },
    ...(isStream
      ? { request_headers_to_add: [setHeader(REST_HEADER, "lines")] }
      : {}),
    // The service would compress for a client of gRPC, and the transcoder reads nothing compressed.
    request_headers_to_remove: ["grpc-encoding"],
    typed_per_filter_config: {
      ...requiredScopes(method),
      ...streamFiltersOn(method, limits),
      ...COMPRESSED,
      ...bodyLimit(method),
      ...(isStream ? NDJSON_RESPONSE : {}),
      ...strictJson(binding.bodyType),
      ...(method.stream === "unary" && binding.responseBody
        ? unwrapResponse(binding.responseBody)
        : {}),
    },
  };
}
