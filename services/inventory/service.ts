import { fileURLToPath } from "node:url";
import { createAuditLog } from "../platform/audit/audit-log.ts";
import { createDatabase } from "../platform/data/database.ts";
import { startDatabaseClock } from "../platform/data/database-clock.ts";
import { migrate } from "../platform/data/migrate.ts";
import { watchInDoubt } from "../platform/data/watch-in-doubt.ts";
import { startConsumer } from "../platform/events/consumer.ts";
import { createKafkaBus } from "../platform/events/kafka-bus.ts";
import { createOutbox } from "../platform/events/outbox.ts";
import { startRelay } from "../platform/events/relay.ts";
import { createPageTokens } from "../platform/rpc/page-token.ts";
import { serve } from "../platform/rpc/server.ts";
import { tlsFiles } from "../platform/runtime/config.ts";
import { newId } from "../platform/runtime/ids.ts";
import type { Runtime } from "../platform/runtime/run-service.ts";
import { createPriceCache } from "./app/price-cache.ts";
import { createReservationBatches } from "./app/reservation-batches.ts";
import { sweepReservations } from "./app/sweep-reservations.ts";
import { readInventoryConfig } from "./config.ts";
import {
  announceThrough,
  announceTogetherThrough,
} from "./events/announce-change.ts";
import { onChoreographedOrder } from "./events/on-choreographed-order.ts";
import { inventoryService, joinedMethods } from "./rpc/inventory-service.ts";
import { participantService } from "./rpc/participant-service.ts";
import { productToProto } from "./rpc/product-to-proto.ts";
import { reservationToProto } from "./rpc/reservation-to-proto.ts";

const MIGRATIONS = fileURLToPath(new URL("migrations", import.meta.url));

/** Enough for second phases, which are one statement each. */
const RESOLVER_POOL_SIZE = 4;

/** Starts the service. What it starts last it stops first: servers, then the sweeper, the relay, the bus, the pool. */
export async function startInventory(runtime: Runtime): Promise<void> {
  const { logger, signal } = runtime;
  const config = readInventoryConfig(runtime.env);
  const url = config.DATABASE_URL.reveal();
  await migrate({ url, schema: "inventory", folder: MIGRATIONS, logger });

  const db = createDatabase({
    url,
    logger,
    applicationName: "inventory",
    poolSize: config.DATABASE_POOL_SIZE,
  });
  runtime.onDrain("database", () => db.close());
  const resolver = createDatabase({
    url,
    logger,
    applicationName: "inventory two-phase",
    poolSize: RESOLVER_POOL_SIZE,
  });
  runtime.onDrain("two-phase database", () => resolver.close());
  const bus = createKafkaBus({
    brokers: config.KAFKA_BROKERS,
    clientId: "inventory",
    logger,
  });
  runtime.onDrain("event bus", () => bus.close());
  const relay = startRelay({ db, bus, logger, source: "/weft/inventory" });
  runtime.onDrain("relay", () => relay.stop());

  const clock = await startDatabaseClock({ db, logger }, signal);
  runtime.onDrain("clock", () => clock.done);
  const outbox = createOutbox(relay);
  const shapes = { product: productToProto, reservation: reservationToProto };
  const writing = {
    db,
    logger,
    announce: announceThrough(outbox, shapes),
    announceTogether: announceTogetherThrough(outbox, shapes),
    prices: createPriceCache(),
    now: clock.now,
  };
  const deps = {
    ...writing,
    resolver,
    batches: createReservationBatches(writing),
    newId: () => newId(),
    pageTokens: createPageTokens(config.WEFT_PAGE_TOKEN_SECRET),
    intervalMs: config.INVENTORY_SWEEP_INTERVAL_MS,
  };
  const consumer = startConsumer({
    db,
    bus,
    logger,
    group: "inventory-choreography",
    handlers: onChoreographedOrder(deps),
    now: clock.now,
  });
  runtime.onDrain("consumer", () => consumer.stop());
  const chores = Promise.all([
    sweepReservations(deps, signal),
    watchInDoubt({ ...deps, db: resolver, participant: "inventory" }, signal),
  ]);
  runtime.onDrain("sweeper", async () => void (await chores));

  const server = await serve({
    host: config.WEFT_HOST,
    grpcPort: config.WEFT_GRPC_PORT,
    connectPort: config.WEFT_CONNECT_PORT,
    tls: tlsFiles(config),
    services: [inventoryService(deps), participantService(deps)],
    logger,
    audit: createAuditLog({ db, logger }),
    once: { db, joined: joinedMethods },
    ready: async () => (await db.query("select 1")).rowCount === 1,
  });
  runtime.onDrain("servers", (hurry) => server.drain(hurry));
}
