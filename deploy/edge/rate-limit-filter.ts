import { duration, typed, type EnvoyConfig } from "./envoy-config.ts";

const DOMAIN = "edge";
export const RATE_LIMIT =
  "envoy.extensions.filters.http.ratelimit.v3.RateLimit";

/** An instance of Envoy's filter. It speaks to the rate-limit service of what the routes have for its stage. */
export function rateLimitFilter(options: {
  readonly name: string;
  readonly stage: number;
  readonly domain: string | undefined;
  readonly timeoutMs: number;
  readonly retries?: EnvoyConfig;
  readonly fields?: EnvoyConfig;
}): EnvoyConfig {
  const { name, stage, domain = DOMAIN, retries } = options;
  const timeout = duration(options.timeoutMs);
  return {
    name,
    typed_config: typed(RATE_LIMIT, {
      domain,
      stage,
      timeout,
      rate_limit_service: {
        transport_api_version: "V3",
        grpc_service: {
          envoy_grpc: {
            cluster_name: "ratelimit-grpc",
            // The service reads the question, not the headers; each costs both sides.
            skip_envoy_headers: true,
          },
          timeout,
          ...(retries ? { retry_policy: retries } : {}),
        },
      },
      ...options.fields,
    }),
  };
}
