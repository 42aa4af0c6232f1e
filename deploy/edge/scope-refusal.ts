import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { setHeader, type EnvoyConfig } from "./envoy-config.ts";
import { ERROR_DOMAIN } from "./error-details.ts";
import {
  all,
  contentType,
  hasMetadata,
  notGrpcWeb,
  notTranscoded,
  rpcPath,
} from "./reply-filters.ts";

/** The namespace of dynamic metadata in which the claims filter says what a token lacks. */
export const SCOPE_REFUSAL = "weft.refusal";

const refused = hasMetadata(SCOPE_REFUSAL, "scope");
const said = (key: string) => `%DYNAMIC_METADATA(${SCOPE_REFUSAL}:${key})%`;

/** The refusal of a token without a scope, letter by letter as a service of the platform gives it. */
export function scopeRefusals(): EnvoyConfig[] {
  return [
    {
      filter: all(
        refused,
        contentType("application/grpc"),
        notGrpcWeb,
        notTranscoded,
      ),
      body_format_override: text(said("message"), "application/grpc"),
      headers_to_add: [
        setHeader("grpc-status", "7"),
        setHeader("grpc-status-details-bin", said("status")),
      ],
    },
    {
      filter: all(refused, contentType("application/grpc-web")),
      status_code: 200,
      body: { inline_string: "" },
      headers_to_add: [
        setHeader("content-type", "application/grpc-web+proto"),
        setHeader("grpc-status", "7"),
        setHeader("grpc-message", said("message")),
        setHeader("grpc-status-details-bin", said("status")),
      ],
    },
    // The body is the frame that ends a Connect stream; only the filter can count its length.
    ...["application/connect+json", "application/connect+proto"].map(
      (type) => ({
        filter: all(refused, contentType(type)),
        status_code: 200,
        body_format_override: text("%LOCAL_REPLY_BODY%", type),
      }),
    ),
    {
      filter: all(refused, rpcPath, notTranscoded),
      body_format_override: json({
        code: "permission_denied",
        message: said("message"),
        details: [{ type: ErrorInfoSchema.typeName, value: said("info") }],
      }),
    },
    {
      filter: refused,
      body_format_override: json({
        code: 7,
        message: said("message"),
        details: [
          {
            "@type": `type.googleapis.com/${ErrorInfoSchema.typeName}`,
            reason: "SCOPE_MISSING",
            domain: ERROR_DOMAIN,
            metadata: { scope: said("scope") },
          },
        ],
      }),
    },
  ];
}

function text(format: string, type: string): EnvoyConfig {
  return {
    text_format_source: { inline_string: format },
    content_type: type,
  };
}

function json(format: EnvoyConfig): EnvoyConfig {
  return { json_format: format, content_type: "application/json" };
}
