import { fileURLToPath } from "node:url";
import { createDatabase } from "../platform/data/database.ts";
import { migrate } from "../platform/data/migrate.ts";
import { createKafkaBus } from "../platform/events/kafka-bus.ts";
import { createOutbox } from "../platform/events/outbox.ts";
import { startRelay } from "../platform/events/relay.ts";
import { createPageTokens } from "../platform/rpc/page-token.ts";
import { serve } from "../platform/rpc/server.ts";
import { tlsFiles } from "../platform/runtime/config.ts";
import { newId } from "../platform/runtime/ids.ts";
import type { Runtime } from "../platform/runtime/run-service.ts";
import { sweepFiles } from "./app/sweep-files.ts";
import { createObjectStore } from "./clients/object-store.ts";
import { readFilesConfig } from "./config.ts";
import { announceThrough } from "./events/announce-file.ts";
import { fileToProto } from "./rpc/file-to-proto.ts";
import { filesService } from "./rpc/files-service.ts";

const migrations = fileURLToPath(new URL("migrations", import.meta.url));

/** Starts the service. What is started last stops first: the servers, the sweeper, the relay, the bus, the pool. */
export async function startFiles(runtime: Runtime): Promise<void> {
  const { logger, signal, onDrain } = runtime;
  const config = readFilesConfig(runtime.env);
  const url = config.DATABASE_URL.reveal();
  await migrate({ url, schema: "files", folder: migrations, logger });

  const db = createDatabase({
    url,
    logger,
    applicationName: "files",
    poolSize: config.DATABASE_POOL_SIZE,
  });
  onDrain("database", () => db.close());
  const bus = createKafkaBus({
    brokers: config.KAFKA_BROKERS,
    clientId: "files",
    logger,
  });
  onDrain("event bus", () => bus.close());
  const relay = startRelay({ db, bus, logger, source: "/weft/files" });
  onDrain("relay", () => relay.stop());

  const now = () => new Date();
  const deps = {
    db,
    logger,
    now,
    newId: () => newId(),
    objects: createObjectStore({
      endpoint: config.FILES_S3_ENDPOINT,
      publicEndpoint:
        config.FILES_S3_PUBLIC_ENDPOINT ?? config.FILES_S3_ENDPOINT,
      region: config.FILES_S3_REGION,
      bucket: config.FILES_S3_BUCKET,
      accessKeyId: config.FILES_S3_ACCESS_KEY_ID,
      secretAccessKey: config.FILES_S3_SECRET_ACCESS_KEY,
    }),
    announce: announceThrough(createOutbox(relay), fileToProto, now),
    limits: {
      maxBytes: config.FILES_MAX_BYTES,
      contentTypes: config.FILES_CONTENT_TYPES,
      filesPerOwner: config.FILES_PER_OWNER,
      uploadsPerOwner: config.FILES_UPLOADS_PER_OWNER,
      uploadUrlSeconds: config.FILES_UPLOAD_URL_SECONDS,
      uploadTtlMs: config.FILES_UPLOAD_TTL_SECONDS * 1000,
    },
    pageTokens: createPageTokens(config.WEFT_PAGE_TOKEN_SECRET),
    intervalMs: config.FILES_SWEEP_INTERVAL_MS,
  };
  const sweeping = sweepFiles(deps, signal);
  onDrain("sweeper", () => sweeping);

  const server = await serve({
    host: config.WEFT_HOST,
    grpcPort: config.WEFT_GRPC_PORT,
    connectPort: config.WEFT_CONNECT_PORT,
    tls: tlsFiles(config),
    services: [filesService(deps)],
    logger,
    ready: async () => (await db.query("select 1")).rowCount === 1,
  });
  onDrain("servers", (hurry) => server.drain(hurry));
}
