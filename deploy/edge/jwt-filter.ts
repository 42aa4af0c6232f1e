import { DOCUMENT_PATHS } from "./document-routes.ts";
import { duration, typed, type EnvoyConfig } from "./envoy-config.ts";
import { issuerClusterName } from "./issuer-cluster.ts";
import type { Issuer } from "./issuer.ts";
import { parsePathTemplate, pathRegex } from "./path-template.ts";
import type { MethodRoutes, RouteTable } from "./route-table.ts";

export const JWT_FILTER = "envoy.filters.http.jwt_authn";
/** Where the filter leaves the payload of a verified token, below its own name. */
export const PAYLOAD_KEY = "payload";
/** Where it leaves the same in base64url, until the claims filter takes it away; a client's own never gets so far. */
export const PAYLOAD_HEADER = "x-weft-payload";
/** As PAYLOAD_KEY, for why a token was refused: `{code, message}`. */
export const FAILURE_KEY = "failure";

const FETCH_TIMEOUT_MS = 2_000;
/** After a fetch that failed; the keys of the last one are kept. */
const REFETCH_MS = 1_000;

/**
 * Verifies tokens. Whatever path is asked for, a token is needed, but for the edge's own documents and for methods that the
 * contracts call PUBLIC, in both of their forms: rules see the path before it is transcoded, so a rule on one form alone leaves the other as it was.
 */
export function jwtFilter(options: {
  readonly routes: RouteTable;
  readonly issuers: readonly Issuer[];
}): EnvoyConfig {
  const names = options.issuers.map(({ name }) => ({ provider_name: name }));
  const tokenIfAny = anyOf([...names, { allow_missing: {} }]);
  return {
    name: JWT_FILTER,
    typed_config: typed(
      "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
      {
        providers: Object.fromEntries(
          options.issuers.map((issuer) => [issuer.name, provider(issuer)]),
        ),
        // Envoy's own text goes to nobody, and its WWW-Authenticate repeats the URL, with what a client put into it.
        strip_failure_response: true,
        rules: [
          ...["/healthz", ...DOCUMENT_PATHS].map((path) => ({
            match: { path },
          })),
          ...publicMatches(options.routes).map((match) => ({
            match,
            requires: tokenIfAny,
          })),
          { match: { prefix: "/" }, requires: anyOf(names) },
        ],
      },
    ),
  };
}

/** Envoy takes no choice of one. */
function anyOf(requirements: readonly EnvoyConfig[]): EnvoyConfig {
  const [only] = requirements;
  return only !== undefined && requirements.length === 1
    ? only
    : { requires_any: { requirements } };
}

function provider(issuer: Issuer): EnvoyConfig {
  return {
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    // Named, or Envoy would also take `?access_token=`, which ends up in logs.
    from_headers: [{ name: "authorization", value_prefix: "Bearer " }],
    // The token ends here; services see the claims.
    forward: false,
    payload_in_metadata: PAYLOAD_KEY,
    forward_payload_header: PAYLOAD_HEADER,
    failed_status_in_metadata: FAILURE_KEY,
    require_expiration: true,
    max_lifetime: duration(issuer.maxLifetimeSeconds * 1_000),
    clock_skew_seconds: issuer.clockSkewSeconds,
    remote_jwks: {
      http_uri: {
        uri: issuer.jwksUrl,
        cluster: issuerClusterName(issuer),
        timeout: duration(FETCH_TIMEOUT_MS),
      },
      cache_duration: duration(issuer.keysRefreshSeconds * 1_000),
      // Ahead of the first request, which would otherwise be refused where the issuer is slow.
      async_fetch: { failed_refetch_duration: duration(REFETCH_MS) },
      retry_policy: {
        num_retries: 3,
        retry_back_off: { base_interval: "0.2s", max_interval: "1s" },
      },
    },
    // Checking a signature costs 100 us and more; a client sends the same token for an hour. Envoy goes on with a token that it
    // has seen until it ends, though its key is published no longer.
    jwt_cache_config: { jwt_cache_size: 1_000 },
  };
}

function publicMatches({ services }: RouteTable): EnvoyConfig[] {
  return services
    .flatMap(({ methods }) => methods)
    .filter(({ access }) => access === "PUBLIC")
    .flatMap(matchesOf);
}

/** The RPC path of a method and each of its REST paths, as route matches. */
function matchesOf(method: MethodRoutes): EnvoyConfig[] {
  const rest = method.rest.map(({ verb, pattern }) => ({
    safe_regex: { regex: pathRegex(parsePathTemplate(pattern)) },
    headers: [{ name: ":method", string_match: { exact: verb } }],
  }));
  return [{ path: method.path }, ...rest];
}
