import { MAX_BODY_BYTES, MAX_RESPONSE_BYTES } from "./body-limit.ts";
import { typed, type EnvoyConfig } from "./envoy-config.ts";
import type { RouteTable } from "./route-table.ts";
import { transcoderDescriptors } from "./transcoder-descriptors.ts";

/** REST to gRPC, by the HTTP rules of the contracts. */
export function transcoder(options: {
  readonly routes: RouteTable;
  readonly descriptorSet: Uint8Array;
}): EnvoyConfig {
  return typed(
    "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
    {
      proto_descriptor_bin: Buffer.from(
        transcoderDescriptors(options.descriptorSet),
      ).toString("base64"),
      services: options.routes.services.map(({ name }) => name),
      // Otherwise the rewritten path is matched again, and an RPC route answers a REST call with the wrong limits.
      match_incoming_request_route: true,
      auto_mapping: false,
      convert_grpc_status: true,
      request_validation_options: {
        reject_unknown_method: true,
        reject_unknown_query_parameters: true,
        reject_binding_body_field_collisions: true,
      },
      print_options: { stream_newline_delimited: true },
      url_unescape_spec: "ALL_CHARACTERS_EXCEPT_SLASH",
      query_param_unescape_plus: true,
      // Above the buffer filter's limit, so that one filter refuses, and with 413.
      max_request_body_size: MAX_BODY_BYTES + 1,
      max_response_body_size: MAX_RESPONSE_BYTES,
    },
  );
}
