import { join } from "node:path";
import type { Certificates } from "./certificates.ts";
import type { MeshComponents } from "./mesh-components.ts";
import type { Edge } from "./mesh-edge.ts";
import type { MeshFile } from "./mesh-file.ts";
import type { LocalIssuer } from "./mesh-issuer.ts";
import type { StartedPart, StartedParts } from "./mesh-parts.ts";
import type { ServiceAddresses } from "./mesh-services.ts";
import { signalGroup } from "./signal-group.ts";
import type { Supervisor } from "./supervisor.ts";

const STOP_DEADLINE_MS = 10_000;

export interface Mesh extends AsyncDisposable {
  readonly directory: string;
  readonly edge: Edge | undefined;
  /** Whose tokens the edge takes; none, where it is open to everybody. */
  readonly issuer: LocalIssuer | undefined;
  readonly caFile: string;
  readonly certificates: Certificates;
  readonly components: MeshComponents;
  readonly services: ServiceAddresses;
  /** Of each service's own role. */
  readonly databaseUrls: Readonly<Record<string, string>>;
  readonly paymentProviderUrl: string;
  /** The path of the program, where it was there when the mesh started. */
  readonly grpcurl: string | undefined;
  /** What was started, with the time each took. */
  readonly parts: readonly StartedPart[];
  /** The pids of the processes that run at this moment, by name. */
  readonly pids: () => Record<string, number>;
  /** Stops and starts a service or `payment-provider`; resolves when it is ready and `mesh.json` has its pid. */
  readonly restart: (service: string) => Promise<void>;
  /** Orderly, within 10 s: the edge first, the components last. */
  readonly stop: () => Promise<void>;
  /** At once, without waiting. */
  readonly kill: () => void;
}

export interface MeshState {
  readonly certificates: Certificates;
  readonly addresses: ServiceAddresses;
  readonly components: MeshComponents;
  readonly databaseUrls: Readonly<Record<string, string>>;
  readonly paymentProviderUrl: string;
  readonly edge: Edge | undefined;
  readonly issuer: LocalIssuer | undefined;
  readonly grpcurl: string | undefined;
  readonly parts: StartedParts;
  readonly supervisor: Supervisor;
}

/** What scripts and people find in `mesh.json`. */
export function describeMesh(directory: string, state: MeshState) {
  const { components, edge, issuer } = state;
  return {
    edgeUrl: edge?.url,
    edgeAdminUrl: edge?.adminUrl,
    caFile: state.certificates.ca,
    issuer: issuer && {
      url: issuer.url,
      tokenEndpoint: issuer.tokenEndpoint,
      clientSecretFile: issuer.clientSecretFile,
      demoTokenFile: issuer.demoTokenFile,
      demoHeaderFile: issuer.demoHeaderFile,
    },
    services: state.addresses,
    paymentProviderUrl: state.paymentProviderUrl,
    postgresUrl: components.postgres.url,
    kafkaBrokers: components.kafka.brokers,
    redisUrl: components.redis?.url,
    otlpUrl: components.jaeger?.otlpUrl,
    jaegerQueryUrl: components.jaeger?.queryUrl,
    s3Url: components.s3?.url,
    grpcurl: state.grpcurl,
    logDirectory: join(directory, "logs"),
    pid: process.pid,
    pids: currentPids(state),
  };
}

/** Of a mesh that runs; `stack` holds what has to be stopped. */
export function meshHandle(
  directory: string,
  state: MeshState,
  file: MeshFile,
  stack: AsyncDisposableStack,
): Mesh {
  const kill = () => {
    for (const pid of Object.values(currentPids(state))) {
      signalGroup(pid, "SIGKILL");
    }
  };
  let stopped: Promise<void> | undefined;
  const stop = () => {
    state.parts.expectEnds();
    stopped ??= stopInTime(stack, kill);
    return stopped;
  };
  return {
    directory,
    edge: state.edge,
    issuer: state.issuer,
    caFile: state.certificates.ca,
    certificates: state.certificates,
    components: state.components,
    services: state.addresses,
    databaseUrls: state.databaseUrls,
    paymentProviderUrl: state.paymentProviderUrl,
    grpcurl: state.grpcurl,
    parts: state.parts.list,
    pids: () => currentPids(state),
    async restart(service) {
      await state.supervisor.restart(service);
      await file.write();
    },
    stop,
    kill,
    [Symbol.asyncDispose]: stop,
  };
}

function currentPids(state: MeshState): Record<string, number> {
  return { ...state.parts.pids(), ...state.supervisor.pids() };
}

async function stopInTime(
  stack: AsyncDisposableStack,
  kill: () => void,
): Promise<void> {
  const late = setTimeout(kill, STOP_DEADLINE_MS);
  try {
    await stack.disposeAsync();
  } finally {
    clearTimeout(late);
  }
}
