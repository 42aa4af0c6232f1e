import { fileURLToPath } from "node:url";
import { createDatabase } from "../platform/data/database.ts";
import { migrate } from "../platform/data/migrate.ts";
import { createKafkaBus } from "../platform/events/kafka-bus.ts";
import { createOutbox } from "../platform/events/outbox.ts";
import { startRelay } from "../platform/events/relay.ts";
import { createMeshTransport } from "../platform/rpc/mesh-transport.ts";
import { createPageTokens } from "../platform/rpc/page-token.ts";
import { serve } from "../platform/rpc/server.ts";
import { tlsFiles } from "../platform/runtime/config.ts";
import { newId } from "../platform/runtime/ids.ts";
import type { Runtime } from "../platform/runtime/run-service.ts";
import { cleanUp, sweepJobs } from "./app/clean-up.ts";
import { startJobChanges } from "./app/job-changes.ts";
import { startJobRunners } from "./app/job-runners.ts";
import type { Spark, SparkWorkDeps } from "./app/spark-work.ts";
import { openStreamFolders } from "./app/stream-folders.ts";
import { streamSlots } from "./app/stream-slots.ts";
import { openTempFolder } from "./app/temp-folder.ts";
import type { Share } from "./app/write-order.ts";
import { filesClient, type Files } from "./clients/files.ts";
import { readSortConfig } from "./config.ts";
import type { SortPlan } from "./domain/sort-plan.ts";
import { notConfigured, whyNotSpark } from "./domain/spark-limits.ts";
import { announceThrough } from "./events/announce-sort-job.ts";
import { jobToProto } from "./rpc/job-to-proto.ts";
import { sortService } from "./rpc/sort-service.ts";

const migrations = fileURLToPath(new URL("migrations", import.meta.url));

type Config = ReturnType<typeof readSortConfig>;

/** Starts the service. What is started last stops first: the servers, the jobs, the relay, the bus, the pool. */
export async function startSort(runtime: Runtime): Promise<void> {
  const { logger, signal, onDrain } = runtime;
  const config = readSortConfig(runtime.env);
  const url = config.DATABASE_URL.reveal();
  await migrate({ url, schema: "sort", folder: migrations, logger });
  const home = await openTempFolder(config.SORT_TEMP_FOLDER);
  const streamFolders = await openStreamFolders({
    tempFolder: config.SORT_TEMP_FOLDER,
    logger,
    newId,
  });
  onDrain("folder of streams", () => streamFolders.close());

  const db = createDatabase({
    url,
    logger,
    applicationName: "sort",
    poolSize: config.DATABASE_POOL_SIZE,
  });
  onDrain("database", () => db.close());
  const bus = createKafkaBus({
    brokers: config.KAFKA_BROKERS,
    clientId: "sort",
    logger,
  });
  onDrain("event bus", () => bus.close());
  const relay = startRelay({ db, bus, logger, source: "/weft/sort" });
  onDrain("relay", () => relay.stop());

  const places = {
    readFolders: config.SORT_READ_FOLDERS,
    writeFolders: config.SORT_WRITE_FOLDERS,
    urlHosts: config.SORT_URL_HOSTS,
  };
  const deps = {
    db,
    logger,
    announce: announceThrough(createOutbox(relay), jobToProto),
    files: connectFiles(runtime, config),
    spark: await connectSpark(runtime, config, { db, logger, places }),
    sparkObstacle: (plan: SortPlan) =>
      config.SORT_SPARK_REMOTE
        ? whyNotSpark(plan, config.SORT_SPARK_FOLDERS)
        : notConfigured,
    places,
    tempFolder: config.SORT_TEMP_FOLDER,
    share: shareOf(config),
    workerEnv: config.NODE_COMPILE_CACHE
      ? { NODE_COMPILE_CACHE: config.NODE_COMPILE_CACHE }
      : {},
    silentSeconds: config.SORT_SILENT_SECONDS,
    newId: () => newId(),
    now: () => new Date(),
  };
  const runners = startJobRunners(
    deps,
    {
      limit: config.SORT_JOBS,
      sparkLimit: config.SORT_SPARK_JOBS,
      perTenant: config.SORT_TENANT_JOBS,
      pollMs: config.SORT_POLL_MS,
      home,
      abandonMs: config.SORT_ABANDON_SECONDS * 1000,
    },
    signal,
  );
  onDrain("jobs", (hurry) => runners.done(hurry));
  const sweeping = sweepJobs(
    { ...deps, home, isRunning: runners.isRunning },
    signal,
  );
  onDrain("sweeper", () => sweeping);
  const changes = startJobChanges(
    { db, logger, heartbeatMs: config.SORT_WATCH_HEARTBEAT_MS },
    signal,
  );
  onDrain("changes", () => changes.done());

  const server = await serve({
    host: config.WEFT_HOST,
    grpcPort: config.WEFT_GRPC_PORT,
    connectPort: config.WEFT_CONNECT_PORT,
    tls: tlsFiles(config),
    services: [
      sortService({
        ...deps,
        runners,
        changes,
        cleanUp: (job) => cleanUp(deps, job),
        queueLimits: {
          all: config.SORT_QUEUE,
          perTenant: config.SORT_TENANT_QUEUE,
        },
        pageTokens: createPageTokens(config.WEFT_PAGE_TOKEN_SECRET),
        streams: streamSlots({
          all: config.SORT_STREAMS,
          perTenant:
            config.SORT_TENANT_STREAMS ?? Math.max(1, config.SORT_STREAMS - 1),
        }),
        streamIdleMs: config.SORT_STREAM_IDLE_SECONDS * 1000,
        streamFolder: streamFolders.own,
        maxStreamBytes: config.SORT_STREAM_BYTES,
      }),
    ],
    logger,
    ready: async () => (await db.query("select 1")).rowCount === 1,
  });
  onDrain("servers", (hurry) => server.drain(hurry));
}

/** The machine is divided evenly, so that no job waits for what another has, and none takes more than is there. */
function shareOf(config: Config): Share {
  const shares = config.SORT_JOBS + config.SORT_STREAMS;
  const { SORT_TEMP_BYTES: tempBytes } = config;
  return {
    memoryBytes: Math.floor(config.SORT_MEMORY_BYTES / shares),
    tempBytes:
      tempBytes === undefined ? undefined : Math.floor(tempBytes / shares),
    workers: Math.max(1, Math.round(config.SORT_WORKERS / config.SORT_JOBS)),
  };
}

function connectFiles(
  { logger, onDrain }: Runtime,
  config: Config,
): Files | undefined {
  if (config.FILES_ADDRESS === undefined) return undefined;
  const transport = createMeshTransport({
    callee: "files",
    address: config.FILES_ADDRESS,
    tls: tlsFiles(config),
    logger,
  });
  onDrain("files client", async () => transport.close());
  return filesClient(transport);
}

/** Spark's contracts are large: they are read only where there is a Spark. */
async function connectSpark(
  { onDrain }: Runtime,
  config: Config,
  deps: Pick<SparkWorkDeps, "db" | "logger" | "places">,
): Promise<Spark | undefined> {
  if (config.SORT_SPARK_REMOTE === undefined) return undefined;
  const [{ connectSparkClient }, { sparkJobs }] = await Promise.all([
    import("./clients/spark/transport.ts"),
    import("./app/spark-work.ts"),
  ]);
  const { client, close } = connectSparkClient(config.SORT_SPARK_REMOTE);
  onDrain("Spark client", async () => close());
  return sparkJobs({
    ...deps,
    client,
    sparkFolders: config.SORT_SPARK_FOLDERS,
    newId: () => newId(),
    now: () => new Date(),
  });
}
