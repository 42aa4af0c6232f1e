import { isIP } from "node:net";
import {
  duration,
  socketAddress,
  typed,
  type Endpoint,
  type EnvoyConfig,
} from "./envoy-config.ts";
import { authority, certificate } from "./secrets.ts";
import type { RouteTable } from "./route-table.ts";

const CONNECT_TIMEOUT_MS = 1_000;
/** What Envoy's guide for an edge sets: a slow peer costs this much memory a stream, not a megabyte. */
const BUFFER_LIMIT_BYTES = 32 * 1024;
/**
 * How many calls may wait for a service. During a restart every call waits, so the number bounds the load that survives one:
 * 4096 calls over 3 s are about 1,300 calls/s.
 */
const MAX_WAITING = 4_096;

export interface ServiceAddresses {
  readonly grpc: Endpoint;
  readonly connect: Endpoint;
}

interface Identity {
  readonly ca: string;
  readonly meshCert: string;
  readonly meshKey: string;
}

/** Two clusters a service, `<service>-grpc` and `<service>-connect`: HTTP/2 over mTLS, each sure of the service's identity. */
export function serviceClusters(
  routes: RouteTable,
  options: {
    readonly tls: Identity;
    readonly secretsFolder?: string | undefined;
    readonly upstreams: Readonly<Record<string, ServiceAddresses>>;
  },
): EnvoyConfig[] {
  // What only services may call has no route, and needs no cluster: `weft.transaction.v1` is spoken by several of them.
  const reachable = routes.services.filter(({ methods }) =>
    methods.some(({ access }) => access !== "SERVICE"),
  );
  const services = [...new Set(reachable.map(({ service }) => service))];
  const missing = services.filter(
    (service) => options.upstreams[service] === undefined,
  );
  if (missing.length > 0)
    throw new Error(`the edge has no address of ${missing.join(", ")}`);
  return services.flatMap((service) => {
    const addresses = options.upstreams[service];
    if (addresses === undefined) return [];
    const security = { transport_socket: mutualTls(service, options) };
    return [
      {
        ...http2Cluster(`${service}-grpc`, addresses.grpc),
        ...resilience(),
        ...security,
      },
      {
        ...http2Cluster(`${service}-connect`, addresses.connect),
        ...resilience(),
        ...security,
      },
    ];
  });
}

/** An OTLP/gRPC collector: plain HTTP/2. */
export function collectorCluster(
  name: string,
  endpoint: Endpoint,
): EnvoyConfig {
  return http2Cluster(name, endpoint);
}

function http2Cluster(name: string, endpoint: Endpoint): EnvoyConfig {
  return {
    name,
    type: isIP(endpoint.host) === 0 ? "STRICT_DNS" : "STATIC",
    connect_timeout: duration(CONNECT_TIMEOUT_MS),
    per_connection_buffer_limit_bytes: BUFFER_LIMIT_BYTES,
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        {
          explicit_http_config: {
            http2_protocol_options: {
              // Finds a peer that is gone without a word, before a call has to.
              connection_keepalive: { interval: "30s", timeout: "5s" },
              initial_stream_window_size: 64 * 1024,
              initial_connection_window_size: 1024 * 1024,
            },
          },
        },
      ),
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: socketAddress(endpoint) } }] },
      ],
    },
  };
}

function resilience(): EnvoyConfig {
  return {
    circuit_breakers: {
      thresholds: [
        {
          max_pending_requests: MAX_WAITING,
          max_requests: 2 * MAX_WAITING,
          max_retries: MAX_WAITING,
        },
      ],
    },
    // Only what the network says counts: an UNAVAILABLE answer may be about one request. With a single instance Envoy
    // panics and keeps using it, which is what we want.
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 5,
      enforcing_consecutive_5xx: 0,
      enforcing_consecutive_gateway_failure: 0,
      base_ejection_time: "1s",
      max_ejection_time: "10s",
      max_ejection_percent: 50,
    },
  };
}

function mutualTls(
  service: string,
  options: {
    readonly tls: Identity;
    readonly secretsFolder?: string | undefined;
  },
): EnvoyConfig {
  const { tls, secretsFolder } = options;
  const itself = [
    { san_type: "URI", matcher: { exact: `spiffe://weft/${service}` } },
  ];
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed(
      "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
      {
        common_tls_context: {
          alpn_protocols: ["h2"],
          // As a client Envoy offers no more than TLS 1.2 unless it is told.
          tls_params: {
            tls_minimum_protocol_version: "TLSv1_3",
            tls_maximum_protocol_version: "TLSv1_3",
          },
          ...certificate(
            "edge-mesh",
            { cert: tls.meshCert, key: tls.meshKey },
            secretsFolder,
          ),
          ...authority(
            "mesh-authority",
            tls.ca,
            { match_typed_subject_alt_names: itself },
            secretsFolder,
          ),
        },
      },
    ),
  };
}
