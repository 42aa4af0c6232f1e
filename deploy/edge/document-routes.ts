import { readFileSync } from "node:fs";
import { COMPRESSED } from "./compress-answers.ts";
import { setHeader, type EnvoyConfig } from "./envoy-config.ts";
import { TRANSCODER_OFF } from "./route-filters.ts";
import { wrongVerb } from "./wrong-verb.ts";

const GENERATED = new URL("../../gen/", import.meta.url);

/** Envoy refuses to load a body above its limit (4 KiB by default) that it should answer with by itself. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** What is served at which path, without a token. */
const DOCUMENTS = [
  {
    name: "docs",
    path: "/docs",
    file: "docs/index.html",
    type: "text/html; charset=utf-8",
    // Its style is in it; it needs no script.
    policy:
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  },
  {
    name: "openapi",
    path: "/openapi.json",
    file: "openapi/weft.openapi.json",
    type: "application/json",
    policy: "default-src 'none'; frame-ancestors 'none'",
  },
] as const;

export const DOCUMENT_PATHS = DOCUMENTS.map(({ path }) => path);

const VERBS = ["GET", "HEAD"];
/** For a gRPC client Envoy makes a header of the page, which is more than a client takes: it ends the connection. */
const NOT_GRPC = {
  name: "content-type",
  string_match: { prefix: "application/grpc" },
  invert_match: true,
  treat_missing_header_as_empty: true,
};

/** The generated reference of the contracts, answered by the edge itself. */
export function documentRoutes(): EnvoyConfig[] {
  return DOCUMENTS.map(({ name, path, file, type, policy }) => ({
    name,
    match: {
      path,
      headers: [
        {
          name: ":method",
          string_match: { safe_regex: { regex: VERBS.join("|") } },
        },
        NOT_GRPC,
      ],
    },
    direct_response: {
      status: 200,
      body: {
        inline_bytes: readFileSync(new URL(file, GENERATED)).toString("base64"),
      },
    },
    response_headers_to_add: [
      setHeader("content-type", type),
      setHeader("content-security-policy", policy),
      setHeader("cache-control", "public, max-age=300"),
      // It names the origin that may read it, and a cache would give that to another.
      { header: { key: "vary", value: "origin" } },
    ],
    typed_per_filter_config: { ...TRANSCODER_OFF, ...COMPRESSED },
  }));
}

/** For behind the answer to a browser's preflight. */
export function documentRefusals(): EnvoyConfig[] {
  return DOCUMENT_PATHS.map((path) => wrongVerb({ path }, VERBS));
}
