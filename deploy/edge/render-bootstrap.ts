import { readFileSync } from "node:fs";
import { BlockList, isIPv6 } from "node:net";
import { accessLogs } from "./access-log.ts";
import {
  collectorCluster,
  serviceClusters,
  type ServiceAddresses,
} from "./clusters.ts";
import { OPEN_CALLER } from "./claims.ts";
import {
  socketAddress,
  type Endpoint,
  type EnvoyConfig,
} from "./envoy-config.ts";
import {
  CONNECTION_TIMES,
  connectionManager,
  type ConnectionTimes,
} from "./connection-manager.ts";
import { issuerAuthorityName, issuerCluster } from "./issuer-cluster.ts";
import { checkDistinct, type Issuer } from "./issuer.ts";
import { FLOOD_LIMIT, type FloodLimit } from "./flood-limit.ts";
import { edgeListener } from "./listener.ts";
import type { RateLimitOptions } from "./rate-limits.ts";
import {
  MAX_CONNECTIONS,
  MAX_HEAP_BYTES,
  overloadManager,
  type OverloadLimits,
} from "./overload-manager.ts";
import { redirectListener } from "./redirect-listener.ts";
import { readRouteTable } from "./route-table.ts";
import { secretFiles } from "./secrets.ts";

const GENERATED = new URL("../../gen/edge/", import.meta.url);

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

const runtime = {
  // Left alone, every five spans are a call to the collector: 45 us of CPU a request, in Envoy and there.
  "tracing.opentelemetry.min_flush_spans": 256,
  "tracing.opentelemetry.flush_interval_ms": 1_000,
  // The expression of well-formed URLs compiles to 111 instructions; Envoy's default limit is 100.
  re2: { max_program_size: { error_level: 200 } },
  // One connection can't keep a worker to itself, and one that only opens and resets streams is closed (CVE-2023-44487).
  "http.max_requests_per_io_cycle": 8,
  "overload.premature_reset_total_stream_count": 500,
  "overload.premature_reset_min_stream_lifetime_seconds": 1,
};

export interface BootstrapOptions {
  /** Where the edge listens; `host` is an address, such as 0.0.0.0. */
  readonly host: string;
  readonly edgePort: number;
  /** On 127.0.0.1, whatever `host` is. */
  readonly adminPort: number;
  /** Paths of PEM files: the mesh's CA, the edge's mesh identity (`spiffe://weft/edge`), and what clients see. */
  readonly tls: {
    readonly ca: string;
    readonly meshCert: string;
    readonly meshKey: string;
    readonly publicCert: string;
    readonly publicKey: string;
  };
  /** Holds what {@link renderSecrets} renders; certificates are then read anew when they are replaced. */
  readonly secretsFolder?: string;
  /** By mesh name, such as `order`: where its grpc-js and connect-node servers listen. */
  readonly upstreams: Readonly<Record<string, ServiceAddresses>>;
  /** An OTLP/gRPC collector of traces; without one, no spans. */
  readonly otlp?: Endpoint;
  /**
   * The share (0 to 1) of calls that is traced, all when left out. One with an `x-client-trace-id` is in any case, and one
   * whose own `traceparent` says that it is not is in none.
   */
  readonly tracedShare?: number;
  /** An OTLP/gRPC collector of logs; the access log goes to standard output in any case. */
  readonly otlpLogs?: Endpoint;
  /** Origins of browser clients, such as `https://shop.example`. */
  readonly allowedOrigins?: readonly string[];
  /** Whose tokens are taken. */
  readonly issuers: readonly Issuer[];
  /** Takes no tokens: every request is the demo tenant's, with every scope. Only with no issuers, on a loopback `host`. */
  readonly open?: boolean;
  /** Asks the rate-limit service about every call; left out, nobody is limited but by `flood`. */
  readonly rateLimits?: Omit<RateLimitOptions, "anonymous">;
  /** What one Envoy takes at most, whatever it is. */
  readonly flood?: FloodLimit;
  /** Lets code of pages on this machine call, whatever their port. */
  readonly allowLocalhost?: boolean;
  /** A port of plain HTTP that sends everybody to HTTPS; none when left out. */
  readonly redirectPort?: number;
  /** How long browsers come back by HTTPS only, a year when left out; 0 says nothing of it. */
  readonly strictTransportSeconds?: number;
  /** 1 GiB, and 50,000 connections in all as on the listener of the edge, when left out. */
  readonly limits?: Partial<OverloadLimits>;
  /** An hour without a request and four hours at most, when left out. */
  readonly times?: Partial<ConnectionTimes>;
}

/**
 * Renders Envoy's static bootstrap (JSON) from the generated route table and descriptor set. The same input gives the same
 * text. Throws where a service of the contracts has no address, where nobody could tell who calls or by whose word, and
 * where an open edge could be reached from another machine.
 */
export function renderBootstrap(options: BootstrapOptions): string {
  if ((options.open === true) !== (options.issuers.length === 0)) {
    throw new Error(
      "the edge needs issuers of tokens, or has to be told to be open to everybody",
    );
  }
  if (options.open === true && !LOOPBACK.check(...addressOf(options.host))) {
    throw new Error(
      `an open edge listens on this machine only, not on ${options.host}`,
    );
  }
  checkDistinct(options.issuers);
  const routes = readRouteTable(new URL("routes.json", GENERATED));
  const manager = connectionManager({
    routes,
    descriptorSet: readFileSync(new URL("weft.binpb", GENERATED)),
    issuers: options.issuers,
    allowedOrigins: options.allowedOrigins ?? [],
    allowLocalhost: options.allowLocalhost ?? false,
    strictTransportSeconds: options.strictTransportSeconds ?? 31_536_000,
    times: { ...CONNECTION_TIMES, ...options.times },
    accessLogs: accessLogs({ collector: options.otlpLogs && "otlp-logs" }),
    traces: options.otlp && {
      collector: "otlp",
      share: options.tracedShare ?? 1,
    },
    flood: options.flood ?? FLOOD_LIMIT,
    rateLimits: options.rateLimits && {
      ...options.rateLimits,
      anonymous: options.issuers.length === 0 ? OPEN_CALLER : "anonymous",
    },
  });
  const limits = {
    maxHeapBytes: MAX_HEAP_BYTES,
    maxConnections: MAX_CONNECTIONS,
    maxEdgeConnections: MAX_CONNECTIONS,
    ...options.limits,
  };
  const { host, edgePort, redirectPort } = options;
  const bootstrap = {
    node: { id: "edge", cluster: "weft" },
    admin: {
      address: socketAddress({ host: "127.0.0.1", port: options.adminPort }),
    },
    static_resources: {
      listeners: [
        edgeListener({ ...options, manager }),
        ...(redirectPort === undefined
          ? []
          : [redirectListener({ host, port: redirectPort, edgePort })]),
      ],
      clusters: [
        ...serviceClusters(routes, options),
        ...options.issuers.map((issuer) =>
          issuerCluster(issuer, options.secretsFolder),
        ),
        ...(options.otlp ? [collectorCluster("otlp", options.otlp)] : []),
        ...(options.otlpLogs
          ? [collectorCluster("otlp-logs", options.otlpLogs)]
          : []),
      ],
    },
    overload_manager: overloadManager(limits),
    layered_runtime: {
      layers: [
        {
          name: "edge",
          static_layer: { ...runtime, ...listenerLimit(limits) },
        },
      ],
    },
  };
  return `${JSON.stringify(bootstrap, null, 2)}\n`;
}

/** The files of secret discovery for a bootstrap with a `secretsFolder`. */
export function renderSecrets({
  tls,
  issuers,
}: Pick<BootstrapOptions, "tls" | "issuers">) {
  return secretFiles({
    certificates: {
      "edge-public": { cert: tls.publicCert, key: tls.publicKey },
      "edge-mesh": { cert: tls.meshCert, key: tls.meshKey },
    },
    authorities: {
      "mesh-authority": tls.ca,
      ...Object.fromEntries(
        issuers.map((issuer) => [issuerAuthorityName(issuer), issuer.caFile]),
      ),
    },
  });
}

function addressOf(host: string): [string, "ipv4" | "ipv6"] {
  return [host, isIPv6(host) ? "ipv6" : "ipv4"];
}

/** The key names the listener: with another name it would bind nothing. */
function listenerLimit({ maxEdgeConnections }: OverloadLimits): EnvoyConfig {
  return {
    "envoy.resource_limits.listener.edge.connection_limit": maxEdgeConnections,
  };
}
