import type { EnvoyConfig } from "./envoy-config.ts";
import { TRANSCODER_OFF } from "./route-filters.ts";

/**
 * Refuses what the routes before it have left of a path: the verbs that it has not. `filters` as for any route; a body is read
 * first only where a token stands before it, or anybody could have it held.
 */
export function wrongVerb(
  match: EnvoyConfig,
  verbs: readonly string[],
  filters: EnvoyConfig = {},
): EnvoyConfig {
  return {
    name: "wrong-verb",
    match,
    direct_response: { status: 405 },
    response_headers_to_add: [
      { header: { key: "allow", value: verbs.toSorted().join(", ") } },
    ],
    typed_per_filter_config: { ...TRANSCODER_OFF, ...filters },
  };
}
