import { typed, type EnvoyConfig } from "./envoy-config.ts";

const RESPELL = `
function envoy_on_request(handle)
  local headers = handle:headers()
  headers:replace("authorization", "Bearer" .. headers:get("authorization"):sub(7))
end
`;

/**
 * Stands before the filter that verifies tokens, which knows the scheme as `Bearer` alone; its case says nothing (RFC 9110,
 * section 11.1). Runs only where a client writes it otherwise, so that nobody else pays for it.
 */
export function bearerScheme(): EnvoyConfig {
  return {
    name: "weft.bearer-scheme",
    typed_config: typed(
      "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
      {
        extension_config: {
          name: "envoy.filters.http.lua",
          typed_config: typed("envoy.extensions.filters.http.lua.v3.Lua", {
            default_source_code: { inline_string: RESPELL },
            clear_route_cache: false,
          }),
        },
        xds_matcher: {
          matcher_list: {
            matchers: [
              {
                predicate: {
                  or_matcher: {
                    predicate: [
                      {
                        not_matcher: authorization({
                          safe_regex: {
                            google_re2: {},
                            regex: "(?i:bearer) .*",
                          },
                        }),
                      },
                      authorization({ prefix: "Bearer " }),
                    ],
                  },
                },
                on_match: {
                  action: {
                    name: "skip",
                    typed_config: typed(
                      "envoy.extensions.filters.common.matcher.action.v3.SkipFilter",
                    ),
                  },
                },
              },
            ],
          },
        },
      },
    ),
  };
}

function authorization(value_match: EnvoyConfig): EnvoyConfig {
  return {
    single_predicate: {
      input: {
        name: "authorization",
        typed_config: typed(
          "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
          { header_name: "authorization" },
        ),
      },
      value_match,
    },
  };
}
