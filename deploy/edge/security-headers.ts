import { corsResponseHeaders, type CorsOptions } from "./cors.ts";
import { typed, type EnvoyConfig } from "./envoy-config.ts";

/**
 * What every answer says to browsers, refusals and documents included. A route's own value stays: the reference page has a
 * content policy that lets it be a page.
 */
export function securityHeaders(
  options: CorsOptions & {
    /** How long browsers come back by HTTPS only; not sent where 0, for a browser takes it for every port of the host. */
    readonly strictTransportSeconds: number;
  },
): EnvoyConfig {
  const headers = {
    ...(options.strictTransportSeconds > 0
      ? {
          "strict-transport-security": `max-age=${options.strictTransportSeconds}; includeSubDomains`,
        }
      : {}),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    // An API's answers are no pages: whatever one holds, a browser runs and loads nothing of it.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    ...corsResponseHeaders(options),
  };
  return {
    name: "weft.security-headers",
    typed_config: typed(
      "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
      {
        mutations: {
          response_mutations: Object.entries(headers).map(([key, value]) => ({
            append: {
              header: { key, value },
              append_action: "ADD_IF_ABSENT",
            },
          })),
        },
      },
    ),
  };
}
