import { join, resolve } from "node:path";
import { ensureCertificates } from "./certificates.ts";
import {
  InvalidEnvironment,
  readLocalConfig,
  type LocalConfig,
} from "./config.ts";
import { findGrpcurl } from "./components/grpcurl.ts";
import { startComponents, type OptionalComponent } from "./mesh-components.ts";
import { provisionServices } from "./mesh-database.ts";
import { claimDirectory } from "./mesh-directory.ts";
import { DOCUMENTED_EDGE_PORT, startEdge, type Edge } from "./mesh-edge.ts";
import {
  DOCUMENTED_ISSUER_PORT,
  issuerAt,
  keepDemoToken,
  removeDemoToken,
  type LocalIssuer,
} from "./mesh-issuer.ts";
import {
  chooseAddresses,
  MESH_SERVICES,
  ROOT,
  type ServiceName,
} from "./mesh-services.ts";
import {
  describeMesh,
  meshHandle,
  type Mesh,
  type MeshState,
} from "./mesh-handle.ts";
import { openMeshFile } from "./mesh-file.ts";
import { registerWebhooks, startServices } from "./mesh-start-services.ts";
import { collectParts, type StartedParts } from "./mesh-parts.ts";
import { claimPort, freePort } from "./ports.ts";
import { createSupervisor } from "./supervisor.ts";

export interface MeshOptions {
  /** Everything of the run lives below it; `.weft` in the repository when left out. */
  readonly directory?: string;
  /** Begins without the data of earlier runs. */
  readonly fresh?: boolean;
  /** Redis, Jaeger and the object store when left out. Postgres and Kafka are always there. */
  readonly components?: readonly OptionalComponent[];
  /** A Spark for sort jobs past this machine, besides those. */
  readonly spark?: boolean;
  /** All when left out. */
  readonly services?: readonly ServiceName[];
  /** 8443 when left out, another where it is taken. `false` starts no edge. */
  readonly edgePort?: number | false;
  /** The edge asks nobody for a token: no issuer is started, and every caller may do everything. */
  readonly open?: boolean;
  /** Read from the environment when left out. */
  readonly config?: LocalConfig;
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

interface Run {
  readonly directory: string;
  readonly config: LocalConfig;
  readonly names: readonly ServiceName[];
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Starts the whole mesh on this machine and writes `<directory>/mesh.json` when
 * it is ready, and again when a process of it ends or starts. What was started
 * is stopped again when a later part fails.
 * Throws MeshAlreadyRunning, NotARunsDirectory, ComponentUnavailable, and InvalidEnvironment.
 */
export async function startMesh(options: MeshOptions = {}): Promise<Mesh> {
  const run = planRun(options);
  refuseIssuersOfOpenEdge(options, run.config);
  requireDevelopmentIssuer(run.config);
  const { directory, config, onProgress, signal } = run;
  await using stack = new AsyncDisposableStack();
  stack.use(await claimDirectory(directory, options.fresh === true, config));
  // There is no file to write before the mesh is ready.
  let onPids = (): void => undefined;
  const watching = { onProgress, onPids: () => onPids() };
  const parts = stack.use(collectParts(watching));

  const certificates = await ensureCertificates(
    join(directory, "tls"),
    run.names,
  );
  const addresses = await chooseAddresses(run.names);
  const isSparkWanted =
    options.spark === true || run.config.sparkRemote !== undefined;
  const components = await startComponents(
    [
      ...(options.components ?? ["redis", "jaeger", "s3"]),
      ...(isSparkWanted ? (["spark"] as const) : []),
    ],
    run,
    parts.own,
  );
  const databaseUrls = await provisionServices(
    directory,
    components.postgres.url,
  );
  const issuer = await chooseIssuer(directory, options, stack);
  const supervisor = stack.use(createSupervisor({ ...run, ...watching }));
  const plan = {
    ...run,
    certificates,
    addresses,
    components,
    databaseUrls,
    issuer,
  };
  const paymentProviderUrl = await startServices(plan, supervisor, parts);
  signal?.throwIfAborted();
  if (issuer) await ownDemoToken(issuer, certificates.ca, stack);
  const edge = await openEdge(plan, options.edgePort, stack, parts);
  if (edge) await registerWebhooks(directory, paymentProviderUrl, edge.url);

  const grpcurl = await findGrpcurl(config);
  const state = {
    ...plan,
    paymentProviderUrl,
    edge,
    grpcurl,
    parts,
    supervisor,
  };
  const file = stack.use(
    openMeshFile(directory, () => describeMesh(directory, state)),
  );
  onPids = () => {
    file.write().catch((error: unknown) => {
      onProgress(`mesh.json has the pids of before: ${String(error)}`);
    });
  };
  await file.write();
  return meshHandle(directory, state, file, stack.move());
}

/** An open edge takes no tokens: whoever names issuers wants another one, and would have an edge open to everybody. */
function refuseIssuersOfOpenEdge(
  { open = false }: MeshOptions,
  { issuersFile }: LocalConfig,
): void {
  if (open && issuersFile !== undefined)
    throw new InvalidEnvironment([
      "WEFT_ISSUERS_FILE: an open edge (--open) takes no tokens; leave one of the two out",
    ]);
}

/** The demo and the demo token are its own: an edge that takes neither is no use here. */
function requireDevelopmentIssuer({ developmentIssuer }: LocalConfig): void {
  if (!developmentIssuer)
    throw new InvalidEnvironment([
      "WEFT_DEVELOPMENT_ISSUER: the demo and the tokens of npm start are the development issuer's; off is for containers",
    ]);
}

function planRun(options: MeshOptions): Run {
  return {
    directory: resolve(options.directory ?? join(ROOT, ".weft")),
    config: options.config ?? readLocalConfig(),
    names: options.services ?? MESH_SERVICES.map(({ name }) => name),
    onProgress: options.onProgress ?? (() => undefined),
    signal: options.signal,
  };
}

/** None where nobody would ask for its tokens. */
async function chooseIssuer(
  directory: string,
  { open = false, edgePort }: MeshOptions,
  stack: AsyncDisposableStack,
): Promise<LocalIssuer | undefined> {
  if (open || edgePort === false) return undefined;
  const isDocumented =
    edgePort === undefined || edgePort === DOCUMENTED_EDGE_PORT;
  if (!isDocumented) return issuerAt(directory, await freePort());
  const { port } = stack.use(await claimPort(DOCUMENTED_ISSUER_PORT));
  return issuerAt(directory, port);
}

/** Renewed while the mesh runs, and gone with it. */
async function ownDemoToken(
  issuer: LocalIssuer,
  caFile: string,
  stack: AsyncDisposableStack,
): Promise<void> {
  const stopped = new AbortController();
  stack.defer(async () => {
    stopped.abort();
    await removeDemoToken(issuer);
  });
  await keepDemoToken(issuer, caFile, stopped.signal);
}

async function openEdge(
  run: Run &
    Pick<MeshState, "certificates" | "addresses" | "components" | "issuer">,
  preferredPort: number | false = DOCUMENTED_EDGE_PORT,
  stack: AsyncDisposableStack,
  parts: StartedParts,
): Promise<Edge | undefined> {
  if (preferredPort === false) return undefined;
  const startedAt = performance.now();
  const otlpUrl = run.components.jaeger?.otlpUrl;
  const { port: edgePort } = stack.use(await claimPort(preferredPort));
  if (edgePort !== preferredPort) {
    run.onProgress(
      `edge: port ${preferredPort} is in use, so the edge takes ${edgePort}`,
    );
  }
  const edge = await startEdge({ ...run, otlpUrl, edgePort });
  // Above the services on the stack: the edge stops before them.
  stack.use(edge.envoy);
  parts.own(edge.envoy, (performance.now() - startedAt) / 1_000);
  return edge;
}
