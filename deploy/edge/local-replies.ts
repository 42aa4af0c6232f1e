import { toBinary } from "@bufbuild/protobuf";
import {
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
  type RetryInfo,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CHALLENGE } from "./challenge.ts";
import { bodyRefusals } from "./body-refusal.ts";
import { edgeErrors, unknownPath, type EdgeError } from "./edge-errors.ts";
import { setHeader, type EnvoyConfig } from "./envoy-config.ts";
import {
  ERROR_DOMAIN,
  errorInfo,
  retryInfo,
  statusDetails,
  unpadded,
} from "./error-details.ts";
import { FAILURE_KEY, JWT_FILTER } from "./jwt-filter.ts";
import {
  all,
  contentType,
  hasMetadata,
  notGrpcWeb,
  notTranscoded,
  rpcPath,
  statusIs,
} from "./reply-filters.ts";
import { rateLimitRefusals } from "./rate-limit-refusal.ts";
import { scopeRefusals } from "./scope-refusal.ts";

const ENVOY_TEXT = "%LOCAL_REPLY_BODY%";
const MALFORMED = "malformed request";

/**
 * Gives the errors that Envoy makes itself the shape that the client's protocol has for errors. The first mapper that
 * matches counts: gRPC, gRPC-Web, Connect streams, Connect, and REST is what is left.
 */
export function localReplies(): EnvoyConfig {
  const restErrors = edgeErrors.map((error) =>
    error.from === 404 ? unknownPath : error,
  );
  return {
    mappers: [
      ...scopeRefusals(),
      ...rateLimitRefusals(),
      ...bodyRefusals(),
      ...edgeErrors.map(grpcReply),
      ...edgeErrors.map(grpcWebReply),
      ...edgeErrors.flatMap(connectStreamReplies),
      ...edgeErrors.map(connectReply),
      ...restErrors.map(restReply),
    ],
  };
}

/** Envoy makes the gRPC status of it; the body becomes `grpc-message`. */
function grpcReply(error: EdgeError): EnvoyConfig {
  return {
    filter: all(
      made(error),
      contentType("application/grpc"),
      notGrpcWeb,
      notTranscoded,
    ),
    ...(error.message ? { body: { inline_string: error.message } } : {}),
    headers_to_add: [
      setHeader("grpc-status", String(error.code)),
      setHeader("grpc-status-details-bin", detailsOf(error)),
      ...retryAfter(error),
    ],
  };
}

/** A response of headers only. Envoy does not take gRPC-Web for gRPC, so all of it is set here. */
function grpcWebReply(error: EdgeError): EnvoyConfig {
  return {
    filter: all(made(error), contentType("application/grpc-web")),
    status_code: 200,
    body: { inline_string: "" },
    headers_to_add: [
      setHeader("content-type", "application/grpc-web+proto"),
      setHeader("grpc-status", String(error.code)),
      setHeader("grpc-message", percentEncoded(error.message ?? MALFORMED)),
      setHeader("grpc-status-details-bin", detailsOf(error)),
      ...retryAfter(error),
    ],
  };
}

/** HTTP 200 and an end-of-stream message (flag 2 and a length before the JSON), with the content type of the request. */
function connectStreamReplies(error: EdgeError): EnvoyConfig[] {
  const end = JSON.stringify({
    error: { ...connectError(error), message: error.message ?? MALFORMED },
  });
  const prefix = Buffer.from([2, 0, 0, 0, 0]);
  prefix.writeUInt32BE(Buffer.byteLength(end), 1);
  return ["application/connect+json", "application/connect+proto"].map(
    (type) => ({
      filter: all(made(error), contentType(type)),
      status_code: 200,
      body: {
        inline_bytes: Buffer.concat([prefix, Buffer.from(end)]).toString(
          "base64",
        ),
      },
      body_format_override: {
        text_format_source: { inline_string: ENVOY_TEXT },
        content_type: type,
      },
      headers_to_add: retryAfter(error),
    }),
  );
}

function connectReply(error: EdgeError): EnvoyConfig {
  return {
    filter: all(made(error), rpcPath, notTranscoded),
    status_code: error.http,
    body_format_override: {
      json_format: connectError(error),
      content_type: "application/json",
    },
    headers_to_add: [...retryAfter(error), ...challenge(error)],
  };
}

function restReply(error: EdgeError): EnvoyConfig {
  const info = {
    "@type": `type.googleapis.com/${ErrorInfoSchema.typeName}`,
    reason: error.reason,
    domain: ERROR_DOMAIN,
  };
  const retry =
    error.retrySeconds === undefined
      ? []
      : [
          {
            "@type": `type.googleapis.com/${RetryInfoSchema.typeName}`,
            retryDelay: `${error.retrySeconds}s`,
          },
        ];
  // Of a fault of ours: what a user can quote. Every answer has it as a header, in any protocol.
  const request =
    error.http < 500
      ? []
      : [
          {
            "@type": `type.googleapis.com/${RequestInfoSchema.typeName}`,
            requestId: "%REQ(X-REQUEST-ID)%",
          },
        ];
  return {
    filter: made(error),
    status_code: error.http,
    body_format_override: {
      json_format: {
        code: error.code,
        message: error.message ?? `${MALFORMED}: ${ENVOY_TEXT}`,
        details: [info, ...retry, ...request],
      },
      content_type: "application/json",
    },
    headers_to_add: [...retryAfter(error), ...challenge(error)],
  };
}

function connectError(error: EdgeError): EnvoyConfig {
  const retry = retryOf(error);
  const value = unpadded(toBinary(ErrorInfoSchema, errorInfo(error.reason)));
  return {
    code: error.connect,
    message: error.message ?? `${MALFORMED}: ${ENVOY_TEXT}`,
    details: [
      { type: ErrorInfoSchema.typeName, value },
      ...(retry
        ? [
            {
              type: RetryInfoSchema.typeName,
              value: unpadded(toBinary(RetryInfoSchema, retry)),
            },
          ]
        : []),
    ],
  };
}

function retryOf({ retrySeconds }: EdgeError): RetryInfo | undefined {
  return retrySeconds === undefined ? undefined : retryInfo(retrySeconds);
}

function retryAfter({ retrySeconds }: EdgeError): EnvoyConfig[] {
  return retrySeconds === undefined
    ? []
    : [setHeader("retry-after", String(retrySeconds))];
}

function challenge({ http }: EdgeError): EnvoyConfig[] {
  return http === 401 ? [CHALLENGE] : [];
}

function detailsOf(error: EdgeError): string {
  const message = error.message ?? MALFORMED;
  return statusDetails(
    error.code,
    message,
    errorInfo(error.reason),
    retryOf(error),
  );
}

/** For a header of gRPC; Envoy takes a single % for a command of its own. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replaceAll("%", "%%");
}

function made({ from }: EdgeError): EnvoyConfig {
  if (from === "DT") return { response_flag_filter: { flags: ["DT"] } };
  // The metadata alone says little: it also tells of the issuers that a good token was not of, and of a call that needs none.
  if (from === "JWT")
    return all(hasMetadata(JWT_FILTER, FAILURE_KEY, "code"), statusIs(403));
  return statusIs(from);
}
