import { CALLER_ADDRESS } from "./caller-address.ts";
import { duration, typed, type EnvoyConfig } from "./envoy-config.ts";

const FLOOD_FILTER = "envoy.filters.http.local_ratelimit";

/** Requests a second; twice as many may come at once. */
export interface FloodLimit {
  /** That one Envoy takes. */
  readonly perSecond: number;
  /** That one Envoy takes from one address. */
  readonly perAddress: number;
}

/** Far above what a client needs and below what would drown the services of one machine. */
export const FLOOD_LIMIT: FloodLimit = {
  perSecond: 50_000,
  perAddress: 20_000,
};

/** Addresses that are told apart; the one that was quiet longest makes room. */
const MOST_ADDRESSES = 10_000;

/**
 * Stands before everything that costs: a flood is refused by a count in Envoy's own memory, before a signature is checked or
 * the rate-limit service is asked. It tells of nothing but the refusal; what is left is told by the rate-limit service.
 */
export function floodFilter(limit: FloodLimit): EnvoyConfig {
  const always = (key: string) => ({
    runtime_key: `edge.flood_${key}`,
    default_value: { numerator: 100, denominator: "HUNDRED" },
  });
  return {
    name: FLOOD_FILTER,
    typed_config: typed(
      "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
      {
        stat_prefix: "flood",
        token_bucket: bucket(limit.perSecond),
        filter_enabled: always("enabled"),
        filter_enforced: always("enforced"),
        rate_limited_as_resource_exhausted: true,
        rate_limits: [{ actions: [CALLER_ADDRESS] }],
        descriptors: [
          {
            // Without a value: each address has a bucket.
            entries: [{ key: "masked_remote_address" }],
            token_bucket: bucket(limit.perAddress),
          },
        ],
        max_dynamic_descriptors: MOST_ADDRESSES,
      },
    ),
  };
}

/** For a route that has to answer whatever comes, such as a probe's. */
export const FLOOD_LIMIT_OFF: EnvoyConfig = {
  [FLOOD_FILTER]: typed("envoy.config.route.v3.FilterConfig", {
    disabled: true,
  }),
};

/** Filled ten times a second, and one by one where that would be less than one: Envoy fills in whole requests. */
function bucket(perSecond: number): EnvoyConfig {
  const fillsPerSecond = Math.min(10, perSecond);
  return {
    max_tokens: Math.ceil(2 * perSecond),
    tokens_per_fill: Math.round(perSecond / fillsPerSecond),
    fill_interval: duration(1_000 / fillsPerSecond),
  };
}
