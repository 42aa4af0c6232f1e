import { bearerScheme } from "./bearer-scheme.ts";
import { bodyShapes } from "./body-shapes.ts";
import { headerIfMatches } from "./cel-format.ts";
import { claimsFilter } from "./claims-filter.ts";
import { CLAIMS_HEADER, developmentClaims } from "./claims.ts";
import { compressor } from "./compress-answers.ts";
import { CORS_FILTER, corsPolicy } from "./cors.ts";
import { MAX_DOCUMENT_BYTES } from "./document-routes.ts";
import {
  duration,
  setHeader,
  typed,
  type EnvoyConfig,
} from "./envoy-config.ts";
import type { Issuer } from "./issuer.ts";
import { jwtFilter } from "./jwt-filter.ts";
import { localReplies } from "./local-replies.ts";
import { MAX_BODY_BYTES } from "./body-limit.ts";
import { floodFilter, type FloodLimit } from "./flood-limit.ts";
import { rateLimitFilters, type RateLimitOptions } from "./rate-limits.ts";
import { responseFilter } from "./rest-responses.ts";
import { edgeRoutes } from "./routes.ts";
import type { RouteTable } from "./route-table.ts";
import { securityHeaders } from "./security-headers.ts";
import { smallBodiesFirst } from "./small-bodies.ts";
import { strictJsonFilter } from "./strict-json.ts";
import { transcoder } from "./transcoder.ts";

const HCM =
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/** How long a client's connection may live; in seconds. */
export interface ConnectionTimes {
  /** Without a request. */
  readonly idle: number;
  /** A client that stays connected meets new instances of the edge, and new certificates, after so long. */
  readonly most: number;
}

export const CONNECTION_TIMES: ConnectionTimes = { idle: 3_600, most: 14_400 };

/** Everything HTTP: limits, routes, filters, errors, traces, logs. */
export function connectionManager(options: {
  readonly routes: RouteTable;
  readonly descriptorSet: Uint8Array;
  /** None: nobody asks for a token, and every caller has `developmentClaims`. */
  readonly issuers: readonly Issuer[];
  readonly allowedOrigins: readonly string[];
  readonly allowLocalhost: boolean;
  readonly flood: FloodLimit;
  /** Undefined: there is no rate-limit service. */
  readonly rateLimits: RateLimitOptions | undefined;
  readonly strictTransportSeconds: number;
  readonly times: ConnectionTimes;
  readonly accessLogs: readonly EnvoyConfig[];
  readonly traces: Traces | undefined;
}): EnvoyConfig {
  return typed(HCM, {
    stat_prefix: "edge",
    ...protocolLimits(options.times),
    ...pathNormalization(),
    use_remote_address: true,
    ...requestId(),
    server_name: "weft",
    early_header_mutation_extensions: [trustedHeaders(options)],
    local_reply_config: localReplies(),
    access_log: options.accessLogs,
    ...(options.traces ? { tracing: tracing(options.traces) } : {}),
    route_config: {
      name: "edge",
      max_direct_response_body_size_bytes: MAX_DOCUMENT_BYTES,
      virtual_hosts: [
        {
          name: "weft",
          domains: ["*"],
          typed_per_filter_config: {
            [CORS_FILTER]: corsPolicy(options),
          },
          routes: edgeRoutes(options.routes, options.rateLimits),
        },
      ],
    },
    http_filters: httpFilters(options),
  });
}

/**
 * A client's own request id is taken where it is a UUID, as ours are, and replaced where it is anything else: it goes into
 * logs and spans. `trustedHeaders` sees to the second half.
 */
function requestId(): EnvoyConfig {
  return {
    preserve_external_request_id: true,
    always_set_request_id_in_response: true,
  };
}

function protocolLimits({ idle, most }: ConnectionTimes): EnvoyConfig {
  return {
    codec_type: "AUTO",
    common_http_protocol_options: {
      idle_timeout: duration(idle * 1_000),
      max_headers_count: 100,
      max_connection_duration: duration(most * 1_000),
      // Of a request for nothing, such as an unknown path's; routes to services have their own.
      max_stream_duration: "10s",
      // `x_weft_claims` reads like `x-weft-claims` to some servers.
      headers_with_underscores_action: "REJECT_REQUEST",
    },
    http2_protocol_options: {
      max_concurrent_streams: 100,
      initial_stream_window_size: 64 * 1024,
      initial_connection_window_size: 1024 * 1024,
    },
    request_headers_timeout: "10s",
    // Of a stream with no route yet; routes have their own.
    stream_idle_timeout: "300s",
    max_request_headers_kb: 32,
  };
}

function pathNormalization(): EnvoyConfig {
  return {
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: "REJECT_REQUEST",
  };
}

const UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
/** Envoy gives a request an id of its own where the header is blank, as it does where there is none. */
const BLANK_UNLESS_UUID = {
  header: {
    key: "x-request-id",
    value: headerIfMatches("x-request-id", UUID),
  },
  append_action: "OVERWRITE_IF_EXISTS",
  keep_empty_value: true,
};

/** What a client may not say itself: who it is, and how Envoy should treat it. Runs before routing, logging and tracing. */
function trustedHeaders(options: {
  readonly routes: RouteTable;
  readonly issuers: readonly Issuer[];
}): EnvoyConfig {
  const remove = (prefix: string) => ({
    remove_on_match: { key_matcher: { prefix } },
  });
  return {
    name: "envoy.http.early_header_mutation.header_mutation",
    typed_config: typed(
      "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
      {
        mutations: [
          remove("x-weft-"),
          { append: BLANK_UNLESS_UUID },
          remove("x-envoy-"),
          ...(options.issuers.length === 0
            ? [
                {
                  append: setHeader(
                    CLAIMS_HEADER,
                    developmentClaims(options.routes),
                  ),
                },
              ]
            : []),
        ],
      },
    ),
  };
}

/**
 * In this order: whoever asks is known before anything is counted or read, and limits are counted before bodies are held.
 */
function httpFilters(options: {
  readonly routes: RouteTable;
  readonly flood: FloodLimit;
  readonly rateLimits: RateLimitOptions | undefined;
  readonly issuers: readonly Issuer[];
  readonly descriptorSet: Uint8Array;
  readonly allowedOrigins: readonly string[];
  readonly allowLocalhost: boolean;
  readonly strictTransportSeconds: number;
}): EnvoyConfig[] {
  const filters = "envoy.extensions.filters.http";
  return [
    // The first in, so the last to see an answer, whichever filter gives it.
    securityHeaders(options),
    {
      name: CORS_FILTER,
      typed_config: typed(`${filters}.cors.v3.Cors`),
    },
    floodFilter(options.flood),
    smallBodiesFirst(),
    ...(options.issuers.length === 0
      ? []
      : [bearerScheme(), jwtFilter(options), claimsFilter(options)]),
    ...rateLimitFilters(options.rateLimits),
    // Before what makes the answer, so that it sees it made.
    compressor(),
    responseFilter(),
    {
      // Routes of unary calls turn it on; it would hold a stream until its end.
      name: "envoy.filters.http.buffer",
      disabled: true,
      typed_config: typed(`${filters}.buffer.v3.Buffer`, {
        max_request_bytes: MAX_BODY_BYTES,
      }),
    },
    strictJsonFilter(bodyShapes(options.routes, options.descriptorSet)),
    {
      name: "envoy.filters.http.grpc_json_transcoder",
      typed_config: transcoder(options),
    },
    {
      name: "envoy.filters.http.router",
      typed_config: typed(`${filters}.router.v3.Router`, {
        suppress_envoy_headers: true,
      }),
    },
  ];
}

/** Where spans go, and the share (0 to 1) of calls that has any. */
interface Traces {
  readonly collector: string;
  readonly share: number;
}

function tracing({ collector, share }: Traces): EnvoyConfig {
  return {
    // A service's span is then below the edge's own. One more between the two took 31 us of Envoy's CPU a request, a
    // seventh, and said what both say: attempts of a retry are spans of the service, and the access log counts them.
    spawn_upstream_span: false,
    random_sampling: { value: 100 * share },
    // Envoy's own value holds the query string, and with it whatever a client puts there.
    custom_tags: [{ tag: "http.url", value: "%PATH(NQ:ORIG_OR_PATH)%" }],
    provider: {
      name: "envoy.tracers.opentelemetry",
      typed_config: typed("envoy.config.trace.v3.OpenTelemetryConfig", {
        grpc_service: {
          envoy_grpc: { cluster_name: collector },
          timeout: "0.25s",
        },
        service_name: "edge",
      }),
    },
  };
}
