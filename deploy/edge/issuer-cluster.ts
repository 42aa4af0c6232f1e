import { isIP } from "node:net";
import {
  duration,
  socketAddress,
  typed,
  type EnvoyConfig,
} from "./envoy-config.ts";
import type { Issuer } from "./issuer.ts";
import { authority } from "./secrets.ts";

const CONNECT_TIMEOUT_MS = 2_000;

export function issuerClusterName(issuer: Issuer): string {
  return `issuer-${issuer.name}`;
}

/** The secret that holds the authority of an issuer's certificate. */
export function issuerAuthorityName(issuer: Issuer): string {
  return `issuer-${issuer.name}-authority`;
}

/** Where an issuer's keys are fetched: HTTP/1.1, over TLS but on this machine. */
export function issuerCluster(
  issuer: Issuer,
  secretsFolder?: string,
): EnvoyConfig {
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
    ...(isTls
      ? { transport_socket: serverTls(hostname, issuer, secretsFolder) }
      : {}),
  };
}

function serverTls(
  host: string,
  issuer: Issuer,
  secretsFolder: string | undefined,
): EnvoyConfig {
  const itself = [
    {
      san_type: isIP(host) === 0 ? "DNS" : "IP_ADDRESS",
      matcher: { exact: host },
    },
  ];
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
          ...authority(
            issuerAuthorityName(issuer),
            issuer.caFile,
            { match_typed_subject_alt_names: itself },
            secretsFolder,
          ),
        },
      },
    ),
  };
}
