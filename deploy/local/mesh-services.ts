import { join } from "node:path";
import { ALLOCATOR_SETTINGS } from "./allocator.ts";
import type { Certificates } from "./certificates.ts";
import type { ObjectStore } from "./components/object-store.ts";
import type { LocalConfig } from "./config.ts";
import { freePort } from "./ports.ts";
import type { SupervisedService } from "./supervisor.ts";

/** The repository's root: services run there, so relative imports and stack traces read well. */
export const ROOT = join(import.meta.dirname, "..", "..");

/** In the order of the calls between them, last called first. One without a schema has no database. */
export const MESH_SERVICES = [
  { name: "ratelimit" },
  { name: "inventory", schema: "inventory" },
  { name: "payment", schema: "payment" },
  { name: "order", schema: "orders" },
  { name: "events", schema: "events" },
  { name: "files", schema: "files" },
  { name: "sort", schema: "sort" },
] as const;

/** Services that can't run without a component that the mesh can do without. */
const NEEDS_OBJECT_STORE: ReadonlySet<string> = new Set(["files"]);

/** The services that can run: where there is no object store, those that need one are left out. */
export function runnable(
  names: readonly ServiceName[],
  objectStore: ObjectStore | undefined,
): ServiceName[] {
  return names.filter(
    (name) => objectStore !== undefined || !NEEDS_OBJECT_STORE.has(name),
  );
}

export type ServiceName = (typeof MESH_SERVICES)[number]["name"];

export interface ServiceAddress {
  readonly host: string;
  readonly grpcPort: number;
  readonly connectPort: number;
}

export type ServiceAddresses = Readonly<
  Partial<Record<ServiceName, ServiceAddress>>
>;

type ObjectStoreAccess = Pick<
  ObjectStore,
  "url" | "region" | "accessKeyId" | "secretAccessKey"
>;

export interface ServiceSurroundings {
  /** The run's folder. */
  readonly directory: string;
  readonly config: LocalConfig;
  readonly certificates: Certificates;
  readonly addresses: ServiceAddresses;
  readonly databaseUrls: Readonly<Record<string, string>>;
  readonly kafkaBrokers: readonly string[];
  readonly redisUrl: string | undefined;
  readonly otlpUrl: string | undefined;
  readonly paymentProviderUrl: string | undefined;
  readonly objectStore: ObjectStoreAccess | undefined;
  readonly sparkRemote: string | undefined;
  readonly pageTokenSecret: string;
  readonly paymentTokenSecret: string;
  readonly webhookSecret: string;
}

/** Chosen before anything starts: services are told each other's addresses. */
export async function chooseAddresses(
  services: readonly ServiceName[],
): Promise<ServiceAddresses> {
  const chosen = await Promise.all(
    services.map(async (name) => [
      name,
      {
        host: "127.0.0.1",
        grpcPort: await freePort(),
        connectPort: await freePort(),
      },
    ]),
  );
  return Object.fromEntries(chosen);
}

/** How a service is started, with the whole of its environment. */
export function serviceProcess(
  name: ServiceName,
  around: ServiceSurroundings,
): SupervisedService {
  return {
    name,
    command: process.execPath,
    args: [join("services", name, "main.ts")],
    cwd: ROOT,
    env: withoutUndefined({
      ...around.config.baseEnvironment,
      ...addressSettings(name, around),
      ...credentialSettings(name, around),
      ...(name === "files" ? objectStoreSettings(around.objectStore) : {}),
      ...(name === "sort" ? sortSettings(around) : {}),
      KAFKA_BROKERS: around.kafkaBrokers.join(","),
      REDIS_URL: around.redisUrl,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: around.otlpUrl,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: around.config.otlpMetricsUrl,
      LOG_LEVEL: around.config.logLevel,
      NODE_COMPILE_CACHE: join(around.config.cacheDirectory, "compile-cache"),
      ...ALLOCATOR_SETTINGS,
    }),
  };
}

function addressSettings(name: ServiceName, around: ServiceSurroundings) {
  const own = around.addresses[name];
  if (own === undefined) throw new Error(`no address was chosen for ${name}`);
  const { inventory, payment } = around.addresses;
  return {
    WEFT_HOST: own.host,
    WEFT_GRPC_PORT: String(own.grpcPort),
    WEFT_CONNECT_PORT: String(own.connectPort),
    ...(name === "order"
      ? {
          INVENTORY_ADDRESS: grpcAddress(inventory),
          PAYMENT_ADDRESS: grpcAddress(payment),
        }
      : {}),
    ...(name === "ratelimit"
      ? { RATELIMIT_RULES_FILE: around.config.rateLimitsFile }
      : {}),
    ...(name === "payment"
      ? {
          PAYMENT_PROVIDER_URL: around.paymentProviderUrl,
          PAYMENT_WEBHOOK_SECRETS: around.webhookSecret,
        }
      : {}),
  };
}

/** Jobs read and write their tenant's folder in `<directory>/sort/shared`, files, and URLs of the object store. */
function sortSettings({
  addresses,
  directory,
  objectStore,
  sparkRemote,
}: ServiceSurroundings) {
  const shared = `shared=${join(directory, "sort", "shared")}`;
  return {
    FILES_ADDRESS: objectStore && grpcAddress(addresses.files),
    SORT_TEMP_FOLDER: join(directory, "sort", "temp"),
    SORT_READ_FOLDERS: shared,
    SORT_WRITE_FOLDERS: shared,
    SORT_URL_HOSTS: objectStore && new URL(objectStore.url).host,
    SORT_SPARK_REMOTE: sparkRemote,
    // A Spark elsewhere sees the folder where it has the same path.
    SORT_SPARK_FOLDERS: sparkRemote && shared.replace("=", "=file://"),
  };
}

function objectStoreSettings(store: ObjectStoreAccess | undefined) {
  return {
    FILES_S3_ENDPOINT: store?.url,
    FILES_S3_REGION: store?.region,
    FILES_S3_ACCESS_KEY_ID: store?.accessKeyId,
    FILES_S3_SECRET_ACCESS_KEY: store?.secretAccessKey,
  };
}

function credentialSettings(name: ServiceName, around: ServiceSurroundings) {
  const certificate = around.certificates.services[name];
  return {
    WEFT_TLS_CA: around.certificates.ca,
    WEFT_TLS_CERT: certificate?.cert,
    WEFT_TLS_KEY: certificate?.key,
    DATABASE_URL: around.databaseUrls[name],
    WEFT_PAGE_TOKEN_SECRET: around.pageTokenSecret,
    ...(name === "order" || name === "payment"
      ? { PAYMENT_TOKEN_SECRET: around.paymentTokenSecret }
      : {}),
  };
}

function grpcAddress(address: ServiceAddress | undefined): string | undefined {
  return address && `${address.host}:${address.grpcPort}`;
}

function withoutUndefined(
  settings: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}
