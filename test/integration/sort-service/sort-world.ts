import { createClient, ConnectError, type Client } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";
import { freePort } from "../../../deploy/local/ports.ts";
import type { ObjectStore } from "../../../deploy/local/components/object-store.ts";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import {
  SortJob_State,
  type SortJob,
  type SortJobSchema,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { SortService } from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { setupDatabase } from "../../support/database.ts";
import { startFaultProxy, type FaultProxy } from "../../support/fault-proxy.ts";
import { createMeshTls } from "../../support/mesh-tls.ts";
import { setupObjectStore } from "../../support/object-store.ts";
import {
  startServiceProcess,
  type ServiceProcess,
} from "../../support/service-process.ts";
import { silentLogger } from "../../support/silent-logger.ts";

export interface SortWorld extends AsyncDisposable {
  readonly sort: () => ServiceProcess;
  /** Kills the service, and starts it again, with these settings changed. */
  crash(changed?: Settings): Promise<void>;
  /** Has the service end in good order, and starts it again. Returns its exit code. */
  restart(): Promise<number | null>;
  /** A second process of the service, on the same temp folder, until the world ends. */
  another(): Promise<{ readonly process: ServiceProcess; client: Sorter }>;
  readonly folder: string;
  /** Where the tenant `acme` reads and writes. */
  readonly inbox: string;
  readonly outbox: string;
  /** Where another tenant reads. */
  inboxOf(tenant: string): Promise<string>;
  readonly temp: string;
  /** The path by which a folder that is a disk of the service's own is seen from outside. */
  seen(path: string): string;
  readonly db: Database;
  readonly store: ObjectStore;
  readonly proxy: FaultProxy;
  client(tenant?: string, subject?: string): Sorter;
  files(tenant?: string): Client<typeof FilesService>;
  headers(tenant?: string, subject?: string): Record<string, string>;
}

type Settings = Readonly<Record<string, string>>;
type Ports = NonNullable<Parameters<typeof startServiceProcess>[0]["ports"]>;

export type Sorter = Client<typeof SortService>;

export interface SortWorldOptions {
  readonly settings?:
    | Settings
    // The folders of all tenants.
    | ((folders: { inbox: string; outbox: string }) => Settings);
  /** What Files signs leads through the proxy, as its own requests do. */
  readonly signsForProxy?: boolean;
  /** Folders that are disks of their own, as `mount -t tmpfs -o` takes them. */
  readonly disks?: Readonly<Partial<Record<"outbox" | "temp", string>>>;
}

/** Sort and Files as processes, on a real Postgres, Kafka and object store, with a proxy that spoils what it is told to. */
export async function setupSort({
  settings = {},
  signsForProxy = false,
  disks,
}: SortWorldOptions = {}): Promise<SortWorld> {
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "weft-sort-"));
  starting.defer(() => rm(folder, { recursive: true, force: true }));
  const [inbox, outbox, temp] = ["inbox", "outbox", "temp"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const made = [temp, join(inbox, "acme"), join(outbox, "acme")];
  await Promise.all(made.map((each) => mkdir(each, { recursive: true })));
  const env =
    typeof settings === "function" ? settings({ inbox, outbox }) : settings;
  const tls = starting.use(await createMeshTls(["sort", "files"]));
  const sortDatabase = starting.use(await setupDatabase({ service: "sort" }));
  const filesDatabase = starting.use(await setupDatabase({ service: "files" }));
  const store = starting.use(await setupObjectStore());
  const proxy = starting.use(
    await startFaultProxy(store.url, { keepsHost: signsForProxy }),
  );
  const brokers = { KAFKA_BROKERS: inject("kafkaBrokers").join(",") };
  const ca = tls.certificates.ca;
  const files = starting.use(
    await startServiceProcess({
      service: "files",
      ca,
      files: tls.filesOf("files"),
      logFile: join(folder, "files.log"),
      env: {
        ...brokers,
        DATABASE_URL: filesDatabase.url,
        FILES_S3_ENDPOINT: signsForProxy ? `http://${proxy.host}` : store.url,
        FILES_S3_ACCESS_KEY_ID: store.accessKeyId,
        FILES_S3_SECRET_ACCESS_KEY: store.secretAccessKey,
      },
    }),
  );
  const ports = { grpcPort: await freePort(), connectPort: await freePort() };
  const start = (changed: Settings = {}, at: { ports?: Ports } = { ports }) =>
    startServiceProcess({
      service: "sort",
      ca,
      files: tls.filesOf("sort"),
      ...at,
      ...(disks && { disks: disksAt({ outbox, temp }, disks) }),
      logFile: join(folder, "sort.log"),
      env: {
        ...brokers,
        DATABASE_URL: sortDatabase.url,
        FILES_ADDRESS: `127.0.0.1:${files.grpcPort}`,
        SORT_TEMP_FOLDER: temp,
        SORT_READ_FOLDERS: `inbox=${inbox}`,
        SORT_WRITE_FOLDERS: `outbox=${outbox}`,
        SORT_URL_HOSTS: `${proxy.host},${new URL(store.url).host}`,
        SORT_POLL_MS: "100",
        SORT_WORKERS: "2",
        ...env,
        ...changed,
      },
    });
  let sort = await start();
  starting.defer(() => sort[Symbol.asyncDispose]());
  const db = createDatabase({
    url: sortDatabase.url,
    logger: silentLogger,
    applicationName: "sort test",
    acquireTimeoutMs: 20_000,
  });
  starting.defer(() => db.close());
  const connections = starting.use(new AsyncDisposableStack());
  const transport = (callee: string, port: number) => {
    const made = createMeshTransport({
      address: `127.0.0.1:${port}`,
      callee,
      tls: tls.of("edge"),
      logger: silentLogger,
    });
    connections.defer(() => made.close());
    return made;
  };
  const toSort = transport("sort", ports.grpcPort);
  const toFiles = transport("files", files.grpcPort);
  const headers = (tenant = "acme", sub = "ada") => {
    const claims = {
      sub,
      tenant,
      scope: "sort:read sort:write files:read files:write",
    };
    const encoded = Buffer.from(JSON.stringify(claims)).toString("base64url");
    return { "x-weft-claims": encoded };
  };
  const running = starting.move();
  return {
    sort: () => sort,
    async crash(changed) {
      await sort.kill();
      sort = await start(changed);
    },
    async restart() {
      const code = await sort.terminate();
      sort = await start();
      return code;
    },
    async another() {
      const process = running.use(await start({}, {}));
      const to = transport("sort", process.grpcPort);
      const client = withHeaders(createClient(SortService, to), headers());
      return { process, client };
    },
    folder,
    inbox: join(inbox, "acme"),
    outbox: join(outbox, "acme"),
    async inboxOf(tenant) {
      const own = join(inbox, tenant);
      await mkdir(own, { recursive: true });
      return own;
    },
    temp,
    seen: (path) => `/proc/${sort.pid}/root${path}`,
    db,
    store,
    proxy,
    headers,
    client: (tenant, subject) =>
      withHeaders(createClient(SortService, toSort), headers(tenant, subject)),
    files: (tenant) =>
      withHeaders(createClient(FilesService, toFiles), headers(tenant)),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function disksAt(
  paths: Readonly<Record<"outbox" | "temp", string>>,
  disks: NonNullable<SortWorldOptions["disks"]>,
): Record<string, string> {
  const { outbox, temp } = disks;
  return {
    ...(outbox && { [paths.outbox]: outbox }),
    ...(temp && { [paths.temp]: temp }),
  };
}

/** Every call of the client with these headers. */
function withHeaders<T extends object>(
  client: T,
  headers: Record<string, string>,
): T {
  return new Proxy(client, {
    get: (target, name) => {
      // A Connect client is an object of functions (request, options).
      const call = Reflect.get(target, name) as (
        request: unknown,
        options?: object,
      ) => unknown;
      return (request: unknown, options: object = {}) =>
        call(request, { ...options, headers });
    },
  });
}

export type StatedJob = MessageInitShape<typeof SortJobSchema>;

/** Begins a job, and returns it when it is settled or suspended. */
export async function runJob(sorter: Sorter, job: StatedJob): Promise<SortJob> {
  const { job: begun } = await sorter.createSortJob({ job });
  return settled(sorter, begun?.name ?? "");
}

/** How a job stands when it is settled or suspended, by a watch that is opened anew where it breaks. */
export async function settled(sorter: Sorter, name: string): Promise<SortJob> {
  for (;;) {
    try {
      for await (const { event } of sorter.watchSortJob({ name })) {
        if (event.case === "job" && isOver(event.value.state)) {
          return event.value;
        }
      }
    } catch (error) {
      if (!retriable.has(ConnectError.from(error).code)) throw error;
    }
  }
}

const retriable: ReadonlySet<number> = new Set([14, 1]);

function isOver(state: SortJob_State): boolean {
  return (
    state === SortJob_State.SUCCEEDED ||
    state === SortJob_State.FAILED ||
    state === SortJob_State.CANCELLED ||
    state === SortJob_State.SUSPENDED
  );
}

/** What GNU sort makes of it, in the C locale. */
export async function gnuSort(
  bytes: Uint8Array,
  ...args: string[]
): Promise<Buffer> {
  const file = join(tmpdir(), `weft-gnu-${randomUUID()}`);
  await writeFile(file, bytes);
  try {
    await promisify(execFile)("sort", [...args, "-o", `${file}.out`, file], {
      env: { LC_ALL: "C", PATH: process.env["PATH"] },
    });
    return await readFile(`${file}.out`);
  } finally {
    await rm(file, { force: true });
    await rm(`${file}.out`, { force: true });
  }
}

/** So many lines in no order, of 20 to 60 bytes. */
export function randomLines(count: number): Buffer {
  let state = 12345;
  const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0);
  const lines = Array.from(
    { length: count },
    (_, n) => `${next().toString(36)}-${"x".repeat(next() % 40)}-${n}\n`,
  );
  return Buffer.from(lines.join(""));
}

/** The reason of the refusal that `call` ends with. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown === undefined) throw new Error("the call was not refused");
  const error = ConnectError.from(thrown);
  return error.findDetails(ErrorInfoSchema)[0]?.reason ?? error.message;
}
