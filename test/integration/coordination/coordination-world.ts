import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client } from "@connectrpc/connect";
import pg from "pg";
import { waitReady } from "../../../deploy/local/component.ts";
import { startKafka } from "../../../deploy/local/components/kafka.ts";
import { startPostgres } from "../../../deploy/local/components/postgres.ts";
import { provisionDatabase } from "../../../deploy/local/database.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { startProcess } from "../../../deploy/local/process.ts";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { OperationsService } from "../../../gen/ts/weft/operations/v1/operations_service_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { createMeshTls, type MeshTls } from "../../support/mesh-tls.ts";
import { moneyOf, type Money } from "../../support/provider-log.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const SERVICES = [
  { service: "inventory", schema: "inventory" },
  { service: "payment", schema: "payment" },
  { service: "order", schema: "orders" },
] as const;

type Service = (typeof SERVICES)[number]["service"];

/** The three services of an order as processes, over a Postgres, a Kafka and a payment provider of their own. */
export interface World extends AsyncDisposable {
  readonly tenant: string;
  readonly inventory: Client<typeof InventoryService>;
  readonly orders: Client<typeof OrderService>;
  readonly operations: Client<typeof OperationsService>;
  /** Starts a process of a service on an address; the usual one replaces the one that was killed. */
  start(service: Service, env?: NodeJS.ProcessEnv): Promise<ServiceProcess>;
  /** The running process of a service. */
  process(service: Service): ServiceProcess;
  /** A second Order service, over the same database; its orders are placed by its own client. */
  startRival(): Promise<{
    process: ServiceProcess;
    orders: Client<typeof OrderService>;
  }>;
  /** A statement of the superuser. */
  administer<Row extends object>(
    sql: string,
    params?: unknown[],
  ): Promise<Row[]>;
  /** Stops Postgres as a power cut does, and starts it again on the same data. */
  crashPostgres(): Promise<void>;
  /** Locks a table until it is told to open: whoever writes there waits. */
  lock(table: string): Promise<{ open(): Promise<void> }>;
  moneyOf(order: string): Promise<Money>;
}

export interface ServiceProcess {
  readonly child: ChildProcess;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

export async function startWorld(env: NodeJS.ProcessEnv = {}): Promise<World> {
  await using parts = new AsyncDisposableStack();
  const owned = new AsyncDisposableStack();
  let isOpen = false;
  const directory = await mkdtemp(join(tmpdir(), "weft-coordination-"));
  parts.defer(() => rm(directory, { recursive: true, force: true }));
  const postgresPort = await freePort();
  const openPostgres = () => startPostgres({ directory, port: postgresPort });
  let postgres = await openPostgres();
  parts.defer(() => postgres.stop());
  const kafka = parts.use(await startKafka({ directory }));
  const tls = parts.use(await createMeshTls(SERVICES.map((s) => s.service)));
  const urls = await provisionDatabase(
    postgres.url,
    SERVICES.map((service) => ({ ...service, password: "test" })),
  );
  const providerUrl = await startProvider(directory, parts);
  const ports = new Map<Service, number>();
  for (const { service } of SERVICES) ports.set(service, await freePort());
  const running = new Map<Service, ServiceProcess>();
  const addressOf = (service: Service) => `127.0.0.1:${ports.get(service)}`;

  const launch = async (
    service: Service,
    port: number,
    more: NodeJS.ProcessEnv,
  ): Promise<ServiceProcess> => {
    const files = tls.filesOf(service);
    const started = await forkService(service, {
      ...process.env,
      WEFT_HOST: "127.0.0.1",
      WEFT_GRPC_PORT: String(port),
      WEFT_TLS_CA: tls.certificates.ca,
      WEFT_TLS_CERT: files.cert,
      WEFT_TLS_KEY: files.key,
      DATABASE_URL: urls[service],
      KAFKA_BROKERS: kafka.brokers.join(","),
      WEFT_PAGE_TOKEN_SECRET: "a secret of 32 characters at least",
      PAYMENT_TOKEN_SECRET: "another secret of 32 characters at least",
      PAYMENT_PROVIDER_URL: providerUrl,
      INVENTORY_ADDRESS: addressOf("inventory"),
      PAYMENT_ADDRESS: addressOf("payment"),
      LOG_LEVEL: process.env["WEFT_TEST_LOG_LEVEL"] ?? "silent",
      ...env,
      ...more,
    });
    (isOpen ? owned : parts).defer(() => started.kill());
    return started;
  };
  const start = async (service: Service, more: NodeJS.ProcessEnv = {}) => {
    const started = await launch(service, ports.get(service) ?? 0, more);
    running.set(service, started);
    return started;
  };
  for (const { service } of SERVICES) await start(service);

  const tenant = `tenant-${randomUUID()}`;
  const clientOf = userOf(tls, tenant, owned);
  const admin = () => adminUrlOf(postgres.url);
  const world = {
    tenant,
    inventory: createClient(
      InventoryService,
      clientOf("inventory", addressOf("inventory")),
    ),
    orders: createClient(OrderService, clientOf("order", addressOf("order"))),
    operations: createClient(
      OperationsService,
      clientOf("order", addressOf("order")),
    ),
    start,
    process(service: Service) {
      const found = running.get(service);
      if (!found) throw new Error(`${service} does not run`);
      return found;
    },
    async startRival() {
      const port = await freePort();
      const rival = await launch("order", port, {});
      const transport = clientOf("order", `127.0.0.1:${port}`);
      return { process: rival, orders: createClient(OrderService, transport) };
    },
    administer: <Row extends object>(sql: string, params: unknown[] = []) =>
      administer<Row>(admin(), sql, params),
    async crashPostgres() {
      const { pid } = postgres;
      if (pid === undefined) throw new Error("Postgres is no process of ours");
      // SIGQUIT is an immediate shutdown: no checkpoint, recovery at the next start.
      process.kill(pid, "SIGQUIT");
      await postgres.exited;
      postgres = await openPostgres();
    },
    async lock(table: string) {
      const client = new pg.Client({ connectionString: admin() });
      client.on("error", () => undefined);
      await client.connect();
      await client.query(`begin; lock table ${table} in exclusive mode`);
      return { open: () => client.end() };
    },
    moneyOf: (order: string) => moneyOf(providerUrl, order),
  };
  // What is started from now on is disposed of as well.
  owned.use(parts.move());
  isOpen = true;
  return { ...world, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startProvider(
  directory: string,
  parts: AsyncDisposableStack,
): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const provider = await startProcess({
    name: "payment-provider",
    directory,
    command: process.execPath,
    args: ["deploy/local/payment-provider/main.ts"],
    env: { PORT: String(port), DATA_DIR: directory, LATE_MS: "3000" },
  });
  parts.defer(async () => void (await provider.stop()));
  await waitReady(
    provider,
    () =>
      fetch(`${url}/log`).then(
        ({ ok }) => ok,
        () => false,
      ),
    { deadlineMs: 20_000 },
  );
  return url;
}

async function forkService(
  service: Service,
  env: NodeJS.ProcessEnv,
): Promise<ServiceProcess> {
  const child = fork(`services/${service}/main.ts`, {
    env,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  const ready = once(child, "message", { signal: AbortSignal.timeout(30_000) });
  const first = await Promise.race([ready, exited]);
  if (first[0] !== "ready") throw new Error(`${service} ended: ${first[0]}`);
  return {
    child,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}

/** A user of the tenant who may do everything, as the edge forwards one. */
function userOf(tls: MeshTls, tenant: string, parts: AsyncDisposableStack) {
  const claims = Buffer.from(
    JSON.stringify({
      sub: "ada",
      tenant,
      scope:
        "orders:read orders:write inventory:read inventory:write operations:admin",
    }),
  ).toString("base64url");
  return (callee: Service, address: string) => {
    const transport = createMeshTransport({
      address,
      callee,
      tls: tls.of("edge"),
      logger: silentLogger,
      // Services are killed on purpose.
      breaker: { volumeThreshold: 1_000_000 },
    });
    parts.defer(async () => transport.close());
    return {
      stream: transport.stream,
      unary: ((method, signal, timeoutMs, header, input) => {
        const headers = new Headers(header);
        headers.set(identityHeaders.claims, claims);
        return transport.unary(method, signal, timeoutMs, headers, input);
      }) satisfies typeof transport.unary,
    };
  };
}

async function administer<Row extends object>(
  url: string,
  sql: string,
  params: unknown[],
): Promise<Row[]> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  try {
    return (await admin.query<Row>(sql, params)).rows;
  } finally {
    await admin.end();
  }
}

function adminUrlOf(url: string): string {
  const inside = new URL(url);
  inside.pathname = "/weft";
  return inside.href;
}
