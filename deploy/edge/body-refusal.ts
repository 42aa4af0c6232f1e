import {
  BadRequestSchema,
  ErrorInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { EnvoyConfig } from "./envoy-config.ts";
import { ERROR_DOMAIN } from "./error-details.ts";
import { hasMetadata } from "./reply-filters.ts";
import { BODY_REFUSAL } from "./strict-json.ts";

const said = (key: string) => `%DYNAMIC_METADATA(${BODY_REFUSAL}:${key})%`;

/** How REST tells what is wrong with a body; only REST bodies are read at the edge. */
export function bodyRefusals(): EnvoyConfig[] {
  const unknownFields = {
    "@type": `type.googleapis.com/${BadRequestSchema.typeName}`,
    fieldViolations: said("violations"),
  };
  return [
    reply(hasMetadata(BODY_REFUSAL, "violations"), [unknownFields]),
    reply(hasMetadata(BODY_REFUSAL, "message"), []),
  ];
}

function reply(filter: EnvoyConfig, more: readonly EnvoyConfig[]): EnvoyConfig {
  return {
    filter,
    body_format_override: {
      json_format: {
        code: 3,
        message: said("message"),
        details: [
          {
            "@type": `type.googleapis.com/${ErrorInfoSchema.typeName}`,
            reason: "MALFORMED_REQUEST",
            domain: ERROR_DOMAIN,
          },
          ...more,
        ],
      },
      content_type: "application/json",
    },
  };
}
