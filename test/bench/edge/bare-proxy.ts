import {
  socketAddress,
  typed,
  type EnvoyConfig,
} from "../../../deploy/edge/envoy-config.ts";
import type { Certificates } from "../../../deploy/local/certificates.ts";

/** An Envoy that terminates TLS and forwards everything to one upstream by mutual TLS, and does nothing else. */
export function bareProxy(options: {
  readonly edgePort: number;
  readonly adminPort: number;
  readonly upstreamPort: number;
  readonly certificates: Certificates;
}): string {
  const at = (port: number) => socketAddress({ host: "127.0.0.1", port });
  const { ca, edgeMesh, edgePublic } = options.certificates;
  return JSON.stringify({
    node: { id: "bare", cluster: "bench" },
    admin: { address: at(options.adminPort) },
    static_resources: {
      listeners: [
        {
          name: "bare",
          address: at(options.edgePort),
          filter_chains: [
            {
              transport_socket: tls("DownstreamTlsContext", edgePublic, {}),
              filters: [
                {
                  name: "envoy.filters.network.http_connection_manager",
                  typed_config: manager(),
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "upstream",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
              "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              { explicit_http_config: { http2_protocol_options: {} } },
            ),
          },
          transport_socket: tls("UpstreamTlsContext", edgeMesh, {
            validation_context: { trusted_ca: { filename: ca } },
          }),
          load_assignment: {
            cluster_name: "upstream",
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: at(options.upstreamPort) } },
                ],
              },
            ],
          },
        },
      ],
    },
  });
}

function manager(): EnvoyConfig {
  return typed(
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    {
      stat_prefix: "bare",
      codec_type: "AUTO",
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [
              {
                match: { prefix: "/" },
                route: { cluster: "upstream", timeout: "0s" },
              },
            ],
          },
        ],
      },
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: typed("envoy.extensions.filters.http.router.v3.Router"),
        },
      ],
    },
  );
}

function tls(
  context: string,
  files: { readonly cert: string; readonly key: string },
  more: EnvoyConfig,
): EnvoyConfig {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed(
      `envoy.extensions.transport_sockets.tls.v3.${context}`,
      {
        common_tls_context: {
          alpn_protocols: ["h2"],
          tls_certificates: [
            {
              certificate_chain: { filename: files.cert },
              private_key: { filename: files.key },
            },
          ],
          ...more,
        },
      },
    ),
  };
}
