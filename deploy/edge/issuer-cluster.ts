import { isIP } from "node:net";
import {
  duration,
  socketAddress,
  typed,
  type EnvoyConfig,
} from "./envoy-config.ts";
import type { Issuer } from "./issuer.ts";

const CONNECT_TIMEOUT_MS = 2_000;

export function issuerClusterName(issuer: Issuer): string {
  return `issuer-${issuer.name}`;
}

/** Where an issuer's keys are fetched: HTTP/1.1, over TLS but on this machine. */
export function issuerCluster(issuer: Issuer): EnvoyConfig {
  const { protocol, hostname, port } = new URL(issuer.jwksUrl);
  const isTls = protocol === "https:";
  const endpoint = {
    host: hostname,
    port: Number(port || (isTls ? 443 : 80)),
  };
  return {
    name: issuerClusterName(issuer),
    type: isIP(hostname) === 0 ? "STRICT_DNS" : "STATIC",
    dns_lookup_family: "V4_PREFERRED",
    connect_timeout: duration(CONNECT_TIMEOUT_MS),
    per_connection_buffer_limit_bytes: 32 * 1024,
    load_assignment: {
      cluster_name: issuerClusterName(issuer),
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: socketAddress(endpoint) } }] },
      ],
    },
    ...(isTls ? { transport_socket: serverTls(hostname, issuer.caFile) } : {}),
  };
}

function serverTls(host: string, caFile: string): EnvoyConfig {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed(
      "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
      {
        sni: host,
        common_tls_context: {
          tls_params: {
            tls_minimum_protocol_version: "TLSv1_2",
            tls_maximum_protocol_version: "TLSv1_3",
          },
          validation_context: {
            trusted_ca: { filename: caFile },
            match_typed_subject_alt_names: [
              {
                san_type: isIP(host) === 0 ? "DNS" : "IP_ADDRESS",
                matcher: { exact: host },
              },
            ],
          },
        },
      },
    ),
  };
}
