import { fileURLToPath } from "node:url";
import { createAuditLog } from "../platform/audit/audit-log.ts";
import { startDatabaseClock } from "../platform/data/database-clock.ts";
import { createDatabase } from "../platform/data/database.ts";
import { migrate } from "../platform/data/migrate.ts";
import { createKafkaBus } from "../platform/events/kafka-bus.ts";
import { createWakeUp } from "../platform/events/wake-up.ts";
import { createPageTokens } from "../platform/rpc/page-token.ts";
import { serve } from "../platform/rpc/server.ts";
import { tlsFiles } from "../platform/runtime/config.ts";
import { newId } from "../platform/runtime/ids.ts";
import type { Runtime } from "../platform/runtime/run-service.ts";
import { keepStore } from "./app/keep-store.ts";
import { createPayloadContracts } from "./app/payload-contracts.ts";
import { sendRedrives } from "./app/send-redrives.ts";
import { readEventsConfig } from "./config.ts";
import { takeDeadLettersIn } from "./events/on-dead-letters.ts";
import { eventsService } from "./rpc/events-service.ts";

const migrations = fileURLToPath(new URL("migrations", import.meta.url));

/** Starts the service. What is started last stops first: the servers, the intake and the sender, the bus, the pool. */
export async function startEvents(runtime: Runtime): Promise<void> {
  const { logger, signal, onDrain } = runtime;
  const config = readEventsConfig(runtime.env);
  const url = config.DATABASE_URL.reveal();
  await migrate({ url, schema: "events", folder: migrations, logger });

  const db = createDatabase({
    url,
    logger,
    applicationName: "events",
    poolSize: config.DATABASE_POOL_SIZE,
  });
  onDrain("database", () => db.close());
  const brokers = config.KAFKA_BROKERS;
  const bus = createKafkaBus({ brokers, clientId: "events", logger });
  onDrain("event bus", () => bus.close());

  const clock = await startDatabaseClock({ db, logger }, signal);
  onDrain("clock", () => clock.done);
  const bell = createWakeUp();
  const shared = {
    db,
    bus,
    logger,
    newId: () => newId(),
    now: clock.now,
  };
  const discoverEveryMs = config.EVENTS_DISCOVER_MS;
  const retentionMs = config.EVENTS_RETENTION_DAYS * 86_400_000;
  const chores = Promise.all([
    takeDeadLettersIn({ ...shared, discoverEveryMs }, signal),
    sendRedrives({ ...shared, bell }, signal),
    keepStore({ ...shared, retentionMs }, signal),
  ]);
  onDrain("chores", async () => void (await chores));

  const server = await serve({
    host: config.WEFT_HOST,
    grpcPort: config.WEFT_GRPC_PORT,
    connectPort: config.WEFT_CONNECT_PORT,
    tls: tlsFiles(config),
    services: [
      eventsService({
        ...shared,
        contracts: createPayloadContracts(config.EVENTS_DESCRIPTORS),
        sender: { wake: () => bell.ring() },
        pageTokens: createPageTokens(config.WEFT_PAGE_TOKEN_SECRET),
      }),
    ],
    logger,
    audit: createAuditLog({ db, logger }),
    ready: async () => (await db.query("select 1")).rowCount === 1,
  });
  onDrain("servers", (hurry) => server.drain(hurry));
}
