import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  socketAddress,
  type Endpoint,
} from "../../../deploy/edge/envoy-config.ts";
import { toIssuer, type IssuerInput } from "../../../deploy/edge/issuer.ts";
import {
  renderBootstrap,
  renderSecrets,
  type BootstrapOptions,
} from "../../../deploy/edge/render-bootstrap.ts";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import {
  AUDIENCE,
  startTestIssuer,
  type TestIssuer,
} from "../../support/test-issuer.ts";
import type { FloodLimit } from "../../../deploy/edge/flood-limit.ts";
import { startRateLimiter, type RateLimiter } from "./rate-limiter.ts";
import { startEdgeEnvoy } from "./start-envoy.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import {
  startSilentServer,
  startUpstream,
  type SilentServer,
  type Upstream,
} from "./upstream.ts";

export interface EdgeWorld extends AsyncDisposable {
  /** `https://localhost:<port>` */
  readonly url: string;
  readonly address: string;
  readonly ca: Buffer;
  /** Sent with every request that brings no `authorization` of its own: the demo tenant's, with every scope. */
  readonly token: string;
  readonly issuer: TestIssuer;
  readonly port: number;
  readonly adminPort: number;
  /** Of the order service. */
  readonly orderPort: number;
  readonly orderConnectPort: number;
  /** Where the authority and the certificates are. */
  readonly tlsFolder: string;
  /** Of orders; the one that runs now. */
  readonly upstream: () => Upstream;
  /** Of payments: takes calls and never answers. */
  readonly payments: SilentServer;
  /** The rate-limit service, a process. */
  readonly limiter: RateLimiter | undefined;
  /** Its calls have so long to end. Default 100 ms. */
  readonly stopUpstream: (patienceMs?: number) => Promise<void>;
  readonly startUpstream: () => Promise<void>;
  /** Envoy's output, access log included. */
  readonly log: () => Promise<string>;
}

const NOBODY: Endpoint = { host: "127.0.0.1", port: 1 };

/** For the rate-limit service: on a busy machine 100 ms let calls through that should have been counted. */
const PATIENCE_MS = 5_000;

/** Real Envoy with the rendered bootstrap before a real order service; payments never answer, inventory is down. */
export async function startEdgeWorld(
  options: {
    /** Of traces and logs. */
    readonly collector?: Endpoint;
    /** Whose certificate the order service shows; its own when left out. */
    readonly orderIdentity?: "payment";
    /** Whether the order service has a second instance, which is dead. */
    readonly deadOrderInstance?: boolean;
    /** The rules of a rate-limit service; without them there is none. */
    readonly rateLimits?: {
      readonly rules: string;
      readonly redisUrl: string;
      readonly failClosed?: readonly string[];
    };
    readonly flood?: FloodLimit;
    /** What else there is to say of the issuer, and more issuers. */
    readonly issuer?: Partial<IssuerInput>;
    readonly issuers?: readonly IssuerInput[];
    /** What else the bootstrap says. */
    readonly bootstrap?: Partial<BootstrapOptions>;
  } = {},
): Promise<EdgeWorld> {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-edge-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const issuer = started.use(await startTestIssuer());
  const certificates = await ensureCertificates(join(directory, "tls"), [
    "order",
    "payment",
    "ratelimit",
  ]);
  const [edgePort, adminPort, ...ports] = await freePorts(6);
  const [grpcPort, connectPort, paymentPort, limiterPort] = ports;
  // freePorts(6) gives six.
  const port = (value: number | undefined) => value as number;

  const files = (name: string) => {
    const pair = certificates.services[name];
    if (pair === undefined) throw new Error(`no certificate of ${name}`);
    return pair;
  };
  const open = () =>
    startUpstream({
      ca: certificates.ca,
      files: files(options.orderIdentity ?? "order"),
      grpcPort: port(grpcPort),
      connectPort: port(connectPort),
    });
  let upstream = await open();
  started.defer(() => upstream[Symbol.asyncDispose]());
  const payments = started.use(
    await startSilentServer({
      ca: certificates.ca,
      files: files("payment"),
      grpcPort: port(paymentPort),
    }),
  );

  const limiter = options.rateLimits
    ? await startRateLimiter({
        ...options.rateLimits,
        directory,
        ca: certificates.ca,
        files: files("ratelimit"),
        grpcPort: port(limiterPort),
      })
    : undefined;
  if (limiter !== undefined) started.use(limiter);

  const local = (value: number | undefined) => ({
    host: "127.0.0.1",
    port: port(value),
  });
  const bootstrapFile = join(directory, "envoy.json");
  const tls = {
    ca: certificates.ca,
    meshCert: certificates.edgeMesh.cert,
    meshKey: certificates.edgeMesh.key,
    publicCert: certificates.edgePublic.cert,
    publicKey: certificates.edgePublic.key,
  };
  const issuers = [
    {
      name: "test",
      issuer: issuer.url,
      jwksUrl: issuer.jwksUrl,
      audiences: [AUDIENCE],
      ...options.issuer,
    },
    ...(options.issuers ?? []),
  ].map(toIssuer);
  for (const { file, content } of renderSecrets({ tls, issuers })) {
    await writeFile(join(directory, file), content);
  }
  const bootstrap = renderBootstrap({
    host: "127.0.0.1",
    edgePort: port(edgePort),
    adminPort: port(adminPort),
    tls,
    secretsFolder: directory,
    upstreams: {
      ...absentServices(),
      order: { grpc: local(grpcPort), connect: local(connectPort) },
      payment: { grpc: local(paymentPort), connect: local(paymentPort) },
      ratelimit: { grpc: local(limiterPort), connect: local(limiterPort) },
    },
    ...(options.rateLimits
      ? {
          rateLimits: {
            failClosed: options.rateLimits.failClosed ?? [],
            timeoutMs: PATIENCE_MS,
          },
        }
      : {}),
    ...(options.flood ? { flood: options.flood } : {}),
    ...(options.collector
      ? { otlp: options.collector, otlpLogs: options.collector }
      : {}),
    issuers,
    allowLocalhost: true,
    ...options.bootstrap,
  });
  await writeFile(
    bootstrapFile,
    options.deadOrderInstance ? withDeadOrderInstance(bootstrap) : bootstrap,
  );
  started.use(
    await startEdgeEnvoy({
      directory,
      bootstrapFile,
      adminPort: port(adminPort),
    }),
  );
  const ca = await readFile(certificates.ca);
  const token = await issuer.token();
  const running = started.move();
  return {
    url: `https://localhost:${edgePort}`,
    address: `localhost:${edgePort}`,
    ca,
    token,
    issuer,
    port: port(edgePort),
    tlsFolder: join(directory, "tls"),
    orderPort: port(grpcPort),
    orderConnectPort: port(connectPort),
    adminPort: port(adminPort),
    upstream: () => upstream,
    payments,
    limiter,
    stopUpstream: (patienceMs = 100) => upstream.stop(patienceMs),
    startUpstream: async () => {
      upstream = await open();
    },
    log: () => readFile(join(directory, "logs", "envoy.log"), "utf8"),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Gives both clusters of the order service a second endpoint, at a port that refuses. */
function withDeadOrderInstance(bootstrap: string): string {
  const alive =
    /("cluster_name": "order-(?:grpc|connect)",\s+"endpoints": \[\s+\{\s+"lb_endpoints": \[)/g;
  const dead = `{"endpoint":{"address":${JSON.stringify(socketAddress(NOBODY))}}},`;
  return bootstrap.replaceAll(alive, `$1${dead}`);
}

/** Every service of the contracts, at a port that refuses. */
export function absentServices() {
  const table = readRouteTable(
    new URL("../../../gen/edge/routes.json", import.meta.url),
  );
  return Object.fromEntries(
    table.services.map(({ service }) => [
      service,
      { grpc: NOBODY, connect: NOBODY },
    ]),
  );
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}
