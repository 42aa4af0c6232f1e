import type { EnvoyConfig } from "./envoy-config.ts";

/** Conditions under which a mapper of local replies applies. */

export const rpcPath = header({
  name: ":path",
  string_match: {
    safe_regex: {
      regex: "/[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)+/[A-Za-z0-9_]+(\\?.*)?",
    },
  },
});

/** The transcoder makes a gRPC request of a REST one and keeps its path here; a client's own copy was removed. */
export const notTranscoded = header({
  name: "x-envoy-original-path",
  present_match: false,
});

export const notGrpcWeb = header({
  name: "content-type",
  string_match: { prefix: "application/grpc-web" },
  invert_match: true,
});

export function contentType(prefix: string): EnvoyConfig {
  return header({ name: "content-type", string_match: { prefix } });
}

export function statusIs(status: number): EnvoyConfig {
  // Envoy demands the name of a runtime key; nobody sets it.
  const value = { default_value: status, runtime_key: "edge.unused" };
  return { status_code_filter: { comparison: { op: "EQ", value } } };
}

/** Whether a filter left something in a namespace of dynamic metadata. */
export function hasMetadata(
  namespace: string,
  ...path: readonly string[]
): EnvoyConfig {
  return {
    metadata_filter: {
      matcher: {
        filter: namespace,
        path: path.map((key) => ({ key })),
        value: { present_match: true },
      },
      match_if_key_not_found: false,
    },
  };
}

export function all(...filters: readonly EnvoyConfig[]): EnvoyConfig {
  return { and_filter: { filters } };
}

function header(matcher: EnvoyConfig): EnvoyConfig {
  return { header_filter: { header: matcher } };
}
