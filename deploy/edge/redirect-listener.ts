import { socketAddress, typed, type EnvoyConfig } from "./envoy-config.ts";

/** Sends whoever comes by plain HTTP to the same path by HTTPS, and takes nothing from them: no body, no token reaches a service. */
export function redirectListener(options: {
  readonly host: string;
  readonly port: number;
  readonly edgePort: number;
}): EnvoyConfig {
  return {
    name: "redirect",
    address: socketAddress({ host: options.host, port: options.port }),
    // See listener.ts.
    enable_reuse_port: false,
    per_connection_buffer_limit_bytes: 32 * 1024,
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: typed(
              "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              {
                stat_prefix: "redirect",
                // Browsers come by HTTP/1.1; HTTP/2 would be a hundred more streams to bound.
                codec_type: "HTTP1",
                server_name: "weft",
                use_remote_address: true,
                request_headers_timeout: "10s",
                request_timeout: "10s",
                common_http_protocol_options: {
                  idle_timeout: "30s",
                  max_connection_duration: "60s",
                },
                route_config: {
                  virtual_hosts: [
                    {
                      name: "redirect",
                      domains: ["*"],
                      routes: [
                        {
                          match: { prefix: "/" },
                          redirect: {
                            https_redirect: true,
                            port_redirect: options.edgePort,
                            // 308: a POST stays a POST.
                            response_code: "PERMANENT_REDIRECT",
                          },
                        },
                      ],
                    },
                  ],
                },
                http_filters: [
                  {
                    name: "envoy.filters.http.router",
                    typed_config: typed(
                      "envoy.extensions.filters.http.router.v3.Router",
                    ),
                  },
                ],
              },
            ),
          },
        ],
      },
    ],
  };
}
