import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startKafka, type Kafka } from "../../deploy/local/components/kafka.ts";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { startMesh } from "../../deploy/local/mesh.ts";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";
import { freePort } from "../../deploy/local/ports.ts";
import { edgeOf, type EdgeAddress } from "../support/mesh-under-test.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { CONTROL_VARIABLE, createControl, type Control } from "./control.ts";
import { HOPS, type Hop } from "./scenario.ts";

/** The services of an order: those that faults are for. */
export const ORDER_SERVICES = ["order", "inventory", "payment"] as const;

/** A mesh whose services can be told to fail, whose network is ours, and whose Kafka can be stopped. */
export interface FaultMesh extends AsyncDisposable {
  readonly mesh: Mesh;
  readonly edge: EdgeAddress;
  readonly control: Control;
  readonly proxies: Readonly<Record<Hop, TcpProxy>>;
  /** What `auditMesh` needs. */
  readonly addresses: ReturnType<typeof addressesOf>;
  /** Kafka is a process of the runner's own; undefined where it is not running, or somewhere else. */
  kafkaPid(): number | undefined;
  stopKafka(): Promise<void>;
  startKafka(): Promise<void>;
}

export async function startFaultMesh(
  directory: string,
  signal: AbortSignal,
): Promise<FaultMesh> {
  await using parts = new AsyncDisposableStack();
  const controlFolder = join(directory, "control");
  const control = await createControl(controlFolder);
  const kafkaPort = await freePort();
  const openKafka = () => startKafka({ directory, port: kafkaPort, signal });
  let kafka: Kafka | undefined = await openKafka();
  parts.defer(() => kafka?.stop());
  const { brokers } = kafka;
  const mesh = parts.use(
    await startMesh({
      directory,
      components: ["redis"],
      edgePort: await freePort(),
      config: faultConfig(brokers, controlFolder),
      onProgress: (line) => {
        if (/ended/.test(line)) console.log(`  ${line}`);
      },
      signal,
    }),
  );
  const proxies = await startProxies(mesh, parts);
  await control.tell({ ports: portsOf(mesh, proxies) }, ORDER_SERVICES);
  // Their connections are older than the proxies.
  for (const service of ORDER_SERVICES) await mesh.restart(service);
  const addresses = addressesOf(mesh);
  const owned = parts.move();
  return {
    mesh,
    control,
    proxies,
    addresses,
    edge: edgeOf(addresses),
    kafkaPid: () => kafka?.pid,
    async stopKafka() {
      if (kafka?.pid === undefined) return;
      const running = kafka;
      kafka = undefined;
      await running.stop();
    },
    async startKafka() {
      kafka ??= await openKafka();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Every Node process of the mesh loads the preload, which minds the services only. */
function faultConfig(brokers: readonly string[], controlFolder: string) {
  const config = readLocalConfig();
  const preload = pathToFileURL(join(import.meta.dirname, "preload.ts"));
  return {
    ...config,
    kafkaBrokers: brokers,
    baseEnvironment: {
      ...config.baseEnvironment,
      NODE_OPTIONS: `--import=${preload.href}`,
      [CONTROL_VARIABLE]: controlFolder,
    },
  };
}

async function startProxies(
  mesh: Mesh,
  parts: AsyncDisposableStack,
): Promise<Record<Hop, TcpProxy>> {
  const started = await Promise.all(
    HOPS.map(async (hop) => {
      const proxy = parts.use(await startTcpProxy(portOf(mesh, hop)));
      return [hop, proxy] as const;
    }),
  );
  // One of each hop.
  return Object.fromEntries(started) as Record<Hop, TcpProxy>;
}

function portsOf(mesh: Mesh, proxies: Record<Hop, TcpProxy>) {
  return Object.fromEntries(
    HOPS.map((hop) => [portOf(mesh, hop), proxies[hop].port]),
  );
}

function portOf(mesh: Mesh, hop: Hop): number {
  switch (hop) {
    case "postgres":
      return Number(new URL(mesh.components.postgres.url).port);
    case "kafka":
      return Number(mesh.components.kafka.brokers[0]?.split(":")[1]);
    case "payment-provider":
      return Number(new URL(mesh.paymentProviderUrl).port);
    case "inventory":
    case "payment":
      return mesh.services[hop]?.grpcPort ?? 0;
  }
}

function addressesOf(mesh: Mesh) {
  if (!mesh.edge || !mesh.issuer) throw new Error("the mesh has no edge");
  return {
    edgeUrl: mesh.edge.url,
    caFile: mesh.caFile,
    demoTokenFile: mesh.issuer.demoTokenFile,
    paymentProviderUrl: mesh.paymentProviderUrl,
  };
}
