import { certificate } from "./secrets.ts";
import { socketAddress, typed, type EnvoyConfig } from "./envoy-config.ts";

/** What Envoy's guide for an edge sets; bodies that must be held whole have limits of their own. */
const BUFFER_LIMIT_BYTES = 32 * 1024;

/** The one listener: TLS, HTTP/2 or HTTP/1.1 by ALPN. */
export function edgeListener(options: {
  readonly host: string;
  readonly edgePort: number;
  readonly tls: { readonly publicCert: string; readonly publicKey: string };
  readonly secretsFolder?: string | undefined;
  readonly manager: EnvoyConfig;
}): EnvoyConfig {
  return {
    name: "edge",
    address: socketAddress({ host: options.host, port: options.edgePort }),
    // A second edge on the port would start, and answer every other client.
    enable_reuse_port: false,
    per_connection_buffer_limit_bytes: BUFFER_LIMIT_BYTES,
    filter_chains: [
      {
        transport_socket: {
          name: "envoy.transport_sockets.tls",
          typed_config: typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            {
              common_tls_context: {
                alpn_protocols: ["h2", "http/1.1"],
                tls_params: { tls_minimum_protocol_version: "TLSv1_2" },
                ...certificate(
                  "edge-public",
                  { cert: options.tls.publicCert, key: options.tls.publicKey },
                  options.secretsFolder,
                ),
              },
            },
          ),
        },
        // A client that opens a connection and says nothing holds it this long.
        transport_socket_connect_timeout: "10s",
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: options.manager,
          },
        ],
      },
    ],
  };
}
