import { typed, type EnvoyConfig } from "./envoy-config.ts";

const COMPRESSOR = "envoy.filters.http.compressor";

/** A smaller answer is one packet either way. */
const SMALLEST_BYTES = 1_024;

/** Lines of JSON are flushed one by one, as they come. */
const TYPES = ["application/json", "application/x-ndjson", "text/html"];

/**
 * gzip, where the client takes it, of what the edge itself writes: REST's JSON and its own documents. Off, but on the routes
 * that turn it on: in the other protocols client and service compress messages between themselves. To learn secrets from
 * lengths (BREACH) takes a browser that sends credentials by itself, and it sends no tokens.
 */
export function compressor(): EnvoyConfig {
  return {
    name: COMPRESSOR,
    disabled: true,
    typed_config: typed(
      "envoy.extensions.filters.http.compressor.v3.Compressor",
      {
        response_direction_config: {
          common_config: {
            min_content_length: SMALLEST_BYTES,
            content_type: TYPES,
          },
        },
        compressor_library: {
          name: "gzip",
          typed_config: typed(
            "envoy.extensions.compression.gzip.compressor.v3.Gzip",
          ),
        },
      },
    ),
  };
}

/** For a route whose answers a client may have compressed. */
export const COMPRESSED: EnvoyConfig = {
  [COMPRESSOR]: typed(
    "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute",
    { overrides: { response_direction_config: {} } },
  ),
};
