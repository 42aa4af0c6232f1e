import type { EnvoyConfig } from "./envoy-config.ts";
import { BODY_READ_FIRST, TRANSCODER_OFF } from "./route-filters.ts";

/** Refuses what the routes before it have left of a path: the verbs that it has not. */
export function wrongVerb(
  match: EnvoyConfig,
  verbs: readonly string[],
): EnvoyConfig {
  return {
    name: "wrong-verb",
    match,
    direct_response: { status: 405 },
    response_headers_to_add: [
      { header: { key: "allow", value: verbs.toSorted().join(", ") } },
    ],
    typed_per_filter_config: { ...TRANSCODER_OFF, ...BODY_READ_FIRST },
  };
}
