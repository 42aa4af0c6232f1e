import { join, resolve } from "node:path";
import pg from "pg";
import {
  environmentComponent,
  requireFreePort,
  startLocalComponent,
  type Component,
  type StartOptions,
} from "../component.ts";
import { readLocalConfig } from "../config.ts";
import { dockerAnswers, startContainer } from "../docker.ts";
import { freePort } from "../ports.ts";
import { persistentSecret } from "../secrets.ts";
import { postgres } from "../versions.ts";
import { waitUntil } from "../wait.ts";
import { findBinaries, initialiseCluster } from "./postgres-cluster.ts";
import {
  postgresDataFolder,
  postgresUser,
  reachableBinaries,
} from "./postgres-user.ts";

const START_DEADLINE_MS = 60_000;

export interface Postgres extends Component {
  /** Of the superuser, database `postgres`. */
  readonly url: string;
}

/**
 * Starts Postgres 18 with the data of `<directory>/postgres`, or answers with
 * the one that `WEFT_POSTGRES_URL` names. Throws ComponentUnavailable.
 */
export async function startPostgres(options: StartOptions): Promise<Postgres> {
  const config = options.config ?? readLocalConfig();
  if (config.postgresUrl !== undefined) {
    const { host } = new URL(config.postgresUrl);
    const version = await serverVersion(config.postgresUrl);
    return {
      ...environmentComponent("postgres", version, host),
      url: config.postgresUrl,
    };
  }
  const port = options.port ?? (await freePort());
  await requireFreePort("postgres", port);
  return (await dockerAnswers(config))
    ? startInDocker(options, port)
    : startLocally(options, port);
}

async function startLocally(
  options: StartOptions,
  port: number,
): Promise<Postgres> {
  const directory = resolve(options.directory);
  const user = await postgresUser();
  const native = findBinaries();
  const binaries = await reachableBinaries(native, postgres.version, user);
  const data = await postgresDataFolder(directory, user);
  const password = await adminPassword(directory);
  const url = adminUrl(password, port);
  await initialiseCluster({
    directory,
    binaries,
    data,
    user,
    password,
    options,
  });
  options.onProgress?.("postgres: starting");
  const component = await startLocalComponent({
    process: {
      name: "postgres",
      directory,
      command: join(binaries, "bin", "postgres"),
      args: [
        "-D",
        data,
        ...settingFlags({
          ...postgres.settings,
          port: String(port),
          listen_addresses: "127.0.0.1",
          unix_socket_directories: "",
        }),
      ],
      user,
      // SIGTERM would wait for clients to leave; SIGINT ends their sessions.
      stopSignal: "INT",
      graceMs: 4_000,
    },
    version: postgres.version,
    address: `127.0.0.1:${port}`,
    probe: () => answers(url),
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
  return Object.assign(component, { url });
}

async function startInDocker(
  options: StartOptions,
  port: number,
): Promise<Postgres> {
  const password = await adminPassword(resolve(options.directory));
  const url = adminUrl(password, port);
  const container = await startContainer(
    {
      name: "postgres",
      image: postgres.image,
      version: postgres.version,
      address: `127.0.0.1:${port}`,
      ports: { 5432: port },
      environment: { POSTGRES_PASSWORD: password },
      command: ["postgres", ...settingFlags(postgres.settings)],
      dataPath: "/var/lib/postgresql",
    },
    options,
  );
  // The image starts a first server to initialise: listening ports come too early.
  await waitUntil(() => answers(url), {
    what: "postgres to answer",
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
  return Object.assign(container, { url });
}

function adminPassword(directory: string): Promise<string> {
  return persistentSecret(directory, "postgres-admin");
}

function adminUrl(password: string, port: number): string {
  return `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
}

function settingFlags(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`,
  ]);
}

async function answers(url: string): Promise<boolean> {
  return (await serverVersion(url)) !== "";
}

async function serverVersion(url: string): Promise<string> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
  });
  // A server that goes away while it is asked is reported by the query itself.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const result = await client.query<{ server_version: string }>(
      "show server_version",
    );
    return result.rows[0]?.server_version.split(" ")[0] ?? "";
  } finally {
    await client.end();
  }
}
