import { setHeader, type EnvoyConfig } from "./envoy-config.ts";
import {
  all,
  contentType,
  hasMetadata,
  notGrpcWeb,
  notTranscoded,
  rpcPath,
} from "./reply-filters.ts";

/** Where Envoy leaves what the rate-limit service says of a refusal; see its `rpc/refusal.ts`. */
const REFUSAL = "envoy.filters.http.ratelimit";
const said = (key: string) => `%DYNAMIC_METADATA(${REFUSAL}:${key})%`;
const refused = hasMetadata(REFUSAL, "rest");
const MESSAGE = "too many requests";

/** The flag of an end of stream, and the length to which the service pads it: four octets can't be computed here. */
const CONNECT_END_PREFIX = Buffer.from([2, 0, 0, 0x08, 0]);

/** A refusal with its retry time, in the shape that each protocol has for errors. The service has written all of them. */
export function rateLimitRefusals(): EnvoyConfig[] {
  const status = [
    setHeader("grpc-status", "8"),
    setHeader("grpc-status-details-bin", said("grpc")),
  ];
  return [
    {
      filter: all(
        refused,
        contentType("application/grpc"),
        notGrpcWeb,
        notTranscoded,
      ),
      body: { inline_string: MESSAGE },
      headers_to_add: status,
    },
    {
      filter: all(refused, contentType("application/grpc-web")),
      status_code: 200,
      body: { inline_string: "" },
      headers_to_add: [
        setHeader("content-type", "application/grpc-web+proto"),
        setHeader(
          "grpc-message",
          encodeURIComponent(MESSAGE).replaceAll("%", "%%"),
        ),
        ...status,
      ],
    },
    ...["application/connect+json", "application/connect+proto"].map(
      (type) => ({
        filter: all(refused, contentType(type)),
        status_code: 200,
        body: { inline_bytes: CONNECT_END_PREFIX.toString("base64") },
        body_format_override: text(
          `%LOCAL_REPLY_BODY%${said("connect_end")}`,
          type,
        ),
      }),
    ),
    {
      filter: all(refused, rpcPath, notTranscoded),
      body_format_override: text(said("connect"), "application/json"),
    },
    {
      filter: refused,
      body_format_override: text(said("rest"), "application/json"),
    },
  ];
}

function text(format: string, type: string): EnvoyConfig {
  return {
    text_format_source: { inline_string: format },
    content_type: type,
  };
}
