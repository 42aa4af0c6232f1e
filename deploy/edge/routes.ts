import { documentRefusals, documentRoutes } from "./document-routes.ts";
import { setHeader, type EnvoyConfig } from "./envoy-config.ts";
import { FLOOD_LIMIT_OFF } from "./flood-limit.ts";
import type { RateLimitOptions } from "./rate-limits.ts";
import { restRoutes } from "./rest-routes.ts";
import { rpcRoutes } from "./rpc-routes.ts";
import type { RouteTable } from "./route-table.ts";
import { BODY_READ_FIRST, TRANSCODER_OFF } from "./route-filters.ts";

/** Octets of a path and query that are ASCII, or percent-encoded UTF-8 without NUL (RFC 3986, RFC 3629). */
const WELL_FORMED = [
  "[!-$&-~]",
  "%0[1-9A-Fa-f]",
  "%[1-7]H",
  "%[Cc][2-9A-Fa-f]T",
  "%[Dd]HT",
  "%[Ee]0%[ABab]HT",
  "%[Ee][1-9A-Ca-cEFef]TT",
  "%[Ee][Dd]%[89]HT",
  "%[Ff]0%[9ABab]HTT",
  "%[Ff][1-3]TTT",
  "%[Ff]4%8HTT",
]
  .join("|")
  .replaceAll("T", "%[89ABab]H")
  .replaceAll("H", "[0-9A-Fa-f]");

/** All routes, in order of match: what is malformed, the edge's own, RPC paths, REST paths; the rest is refused. */
export function edgeRoutes(
  table: RouteTable,
  limits: RateLimitOptions | undefined,
): EnvoyConfig[] {
  const services = table.services.map((service) => ({
    ...service,
    methods: service.methods.filter(({ access }) => access !== "SERVICE"),
  }));
  return [
    malformedUrl(),
    malformedTimeout(),
    healthz(),
    ...documentRoutes(),
    ...services.flatMap((service) => rpcRoutes(service, limits)),
    // Before REST: the transcoder lets gRPC on a REST path through to the service as it is.
    ...unknownMethods(),
    ...restRoutes(services, limits),
    ...documentRefusals(),
    unknownPath(),
  ];
}

/** Bad UTF-8 would reach a service as a string field that no protobuf runtime accepts: a 500 for a client's fault. */
function malformedUrl(): EnvoyConfig {
  const wellFormed = { safe_regex: { regex: `(?:${WELL_FORMED})*` } };
  return {
    name: "malformed-url",
    match: {
      prefix: "/",
      headers: [
        { name: ":path", string_match: wellFormed, invert_match: true },
      ],
    },
    direct_response: {
      status: 400,
      body: { inline_string: "the URL is not valid UTF-8" },
    },
    typed_per_filter_config: TRANSCODER_OFF,
  };
}

/** A service of grpc-js calls it a fault of its own: 500. */
function malformedTimeout(): EnvoyConfig {
  const wellFormed = { safe_regex: { regex: "[0-9]{1,8}[HMSmun]" } };
  return {
    name: "malformed-timeout",
    match: {
      prefix: "/",
      headers: [
        { name: "grpc-timeout", present_match: true },
        {
          name: "grpc-timeout",
          string_match: wellFormed,
          invert_match: true,
        },
      ],
    },
    direct_response: {
      status: 400,
      body: { inline_string: "grpc-timeout is not of the form 100m" },
    },
    typed_per_filter_config: TRANSCODER_OFF,
  };
}

/** Says that the edge runs; the services answer for themselves through grpc.health.v1. */
function healthz(): EnvoyConfig {
  return {
    name: "healthz",
    match: { path: "/healthz" },
    direct_response: {
      status: 200,
      body: { inline_string: '{"status":"SERVING"}\n' },
    },
    response_headers_to_add: [setHeader("content-type", "application/json")],
    typed_per_filter_config: { ...TRANSCODER_OFF, ...FLOOD_LIMIT_OFF },
  };
}

/** Refused at once: a stream may never end by itself. */
function unknownMethods(): EnvoyConfig[] {
  return ["application/grpc", "application/connect+"].map((prefix) => ({
    name: "unknown-method",
    match: {
      prefix: "/",
      headers: [{ name: "content-type", string_match: { prefix } }],
    },
    direct_response: { status: 404 },
    typed_per_filter_config: TRANSCODER_OFF,
  }));
}

function unknownPath(): EnvoyConfig {
  return {
    name: "unknown-path",
    match: { prefix: "/" },
    direct_response: { status: 404 },
    typed_per_filter_config: { ...TRANSCODER_OFF, ...BODY_READ_FIRST },
  };
}
