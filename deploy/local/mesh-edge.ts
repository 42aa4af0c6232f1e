import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  readIssuers,
  toIssuer,
  type Issuer,
  type IssuerInput,
} from "../edge/issuer.ts";
import { readRateLimits } from "../edge/read-rate-limits.ts";
import { renderBootstrap, renderSecrets } from "../edge/render-bootstrap.ts";
import type { Certificates } from "./certificates.ts";
import type { Component } from "./component.ts";
import { startEnvoy } from "./components/envoy.ts";
import type { LocalConfig } from "./config.ts";
import { issuerForEdge, type LocalIssuer } from "./mesh-issuer.ts";
import type { ServiceAddresses } from "./mesh-services.ts";
import { freePort } from "./ports.ts";

/** Documented commands use it. */
export const DOCUMENTED_EDGE_PORT = 8443;

export interface EdgeOptions {
  readonly directory: string;
  readonly config: LocalConfig;
  readonly certificates: Certificates;
  readonly addresses: ServiceAddresses;
  readonly otlpUrl: string | undefined;
  /** None: the edge is open to everybody. */
  readonly issuer: LocalIssuer | undefined;
  readonly edgePort: number;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Edge {
  readonly envoy: Component;
  readonly url: string;
  readonly adminUrl: string;
}

/** Renders the bootstrap into the run's folder and starts Envoy with it. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const adminPort = await freePort();
  const { issuer, certificates, edgePort } = options;
  const bootstrapFile = await writeEdgeFiles({
    ...options,
    issuer: issuer && issuerForEdge(issuer, certificates.ca),
    host: "127.0.0.1",
    adminPort,
  });
  const envoy = await startEnvoy({
    directory: options.directory,
    bootstrapFile,
    adminPort,
    edgePort,
    config: options.config,
    onProgress: options.onProgress,
    signal: options.signal,
  });
  return {
    envoy,
    url: `https://localhost:${edgePort}`,
    adminUrl: `http://127.0.0.1:${adminPort}`,
  };
}

export interface EdgeFilesOptions extends Pick<
  EdgeOptions,
  "directory" | "config" | "certificates" | "addresses" | "otlpUrl"
> {
  /** The development issuer, where the configuration has the edge trust it; none: the edge is open to everybody. */
  readonly issuer: IssuerInput | undefined;
  readonly host: string;
  readonly edgePort: number;
  readonly adminPort: number;
}

/** Writes Envoy's bootstrap, and the secrets that it watches, into the run's folder; returns the bootstrap's path. */
export async function writeEdgeFiles(
  options: EdgeFilesOptions,
): Promise<string> {
  const { config, certificates } = options;
  const tls = {
    ca: certificates.ca,
    meshCert: certificates.edgeMesh.cert,
    meshKey: certificates.edgeMesh.key,
    publicCert: certificates.edgePublic.cert,
    publicKey: certificates.edgePublic.key,
  };
  const issuers = issuersOf(options);
  const secretsFolder = join(options.directory, "envoy-secrets");
  await mkdir(secretsFolder, { recursive: true, mode: 0o700 });
  for (const { file, content } of renderSecrets({ tls, issuers })) {
    await writeFile(join(secretsFolder, file), content);
  }
  const bootstrap = renderBootstrap({
    edgePort: options.edgePort,
    adminPort: options.adminPort,
    host: options.host,
    tls,
    secretsFolder,
    upstreams: upstreams(options.addresses),
    ...(options.otlpUrl === undefined
      ? {}
      : { otlp: hostPort(options.otlpUrl) }),
    tracedShare: config.tracedShare,
    ...(config.otlpLogsUrl === undefined
      ? {}
      : { otlpLogs: hostPort(config.otlpLogsUrl) }),
    ...(options.addresses.ratelimit === undefined
      ? {}
      : { rateLimits: readRateLimits(config.rateLimitsFile) }),
    issuers,
    // An edge that is to trust nobody but the issuers of its file has to have them.
    open: options.issuer === undefined && config.developmentIssuer,
    allowLocalhost: config.corsLocalhost,
    allowedOrigins: config.corsOrigins,
    strictTransportSeconds: config.strictTransportSeconds,
  });
  const file = join(options.directory, "envoy.yaml");
  await writeFile(file, bootstrap);
  return file;
}

function issuersOf({ issuer, config }: EdgeFilesOptions): Issuer[] {
  if (issuer === undefined) return [];
  return [
    ...(config.developmentIssuer ? [toIssuer(issuer)] : []),
    ...(config.issuersFile === undefined
      ? []
      : readIssuers(config.issuersFile)),
  ];
}

function upstreams(addresses: ServiceAddresses) {
  return Object.fromEntries(
    Object.entries(addresses).map(([name, { host, grpcPort, connectPort }]) => [
      name,
      { grpc: { host, port: grpcPort }, connect: { host, port: connectPort } },
    ]),
  );
}

function hostPort(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 4317) };
}
