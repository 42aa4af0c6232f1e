import { typed, type EnvoyConfig } from "./envoy-config.ts";

/** 3,999 octets at most: one page of memory a stream, 400 KB a connection. */
const SMALL = "[0-9]{1,3}|[1-3][0-9]{3}";

/**
 * Waits for a small body, by what `content-length` says of it, before anybody may refuse the request. Answering before the
 * body has arrived resets an HTTP/2 stream, and curl 7.88 (Debian 12) then loses the answer: every second 401 of a POST of
 * 20 KB, and each of one of 70 KB. A body that is larger, or whose size nobody tells, is not held for callers who are not known.
 */
export function smallBodiesFirst(): EnvoyConfig {
  const contentLength = typed(
    "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
    { header_name: "content-length" },
  );
  return {
    name: "small-bodies-first",
    typed_config: typed(
      "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
      {
        extension_config: {
          name: "envoy.filters.http.buffer",
          typed_config: typed(
            "envoy.extensions.filters.http.buffer.v3.Buffer",
            {
              max_request_bytes: 4_096,
            },
          ),
        },
        xds_matcher: {
          matcher_list: {
            matchers: [
              {
                predicate: {
                  not_matcher: {
                    single_predicate: {
                      input: {
                        name: "content-length",
                        typed_config: contentLength,
                      },
                      value_match: {
                        safe_regex: { google_re2: {}, regex: SMALL },
                      },
                    },
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
