import { fileURLToPath } from "node:url";
import { createAuditLog } from "../platform/audit/audit-log.ts";
import { createDatabase } from "../platform/data/database.ts";
import { startDatabaseClock } from "../platform/data/database-clock.ts";
import { migrate } from "../platform/data/migrate.ts";
import { startConsumer } from "../platform/events/consumer.ts";
import { createKafkaBus } from "../platform/events/kafka-bus.ts";
import { createOutbox } from "../platform/events/outbox.ts";
import { startRelay } from "../platform/events/relay.ts";
import { createMeshTransport } from "../platform/rpc/mesh-transport.ts";
import { createPageTokens } from "../platform/rpc/page-token.ts";
import { serve } from "../platform/rpc/server.ts";
import { tlsFiles } from "../platform/runtime/config.ts";
import { newId } from "../platform/runtime/ids.ts";
import type { Runtime } from "../platform/runtime/run-service.ts";
import { createOrderBatches } from "./app/order-batches.ts";
import { startOrderChanges } from "./app/order-changes.ts";
import { observeLog } from "./app/observe-log.ts";
import { observeStuckOrders } from "./app/observe-stuck-orders.ts";
import { startOrderDrivers } from "./app/order-drivers.ts";
import { sweepInDoubt } from "./app/sweep-in-doubt.ts";
import { inventoryClient } from "./clients/inventory.ts";
import { participantClient, works } from "./clients/participant.ts";
import { paymentClient } from "./clients/payment.ts";
import { quoteClient } from "./clients/quote.ts";
import { readOrderConfig } from "./config.ts";
import {
  announceRowsThrough,
  announceThrough,
} from "./events/announce-order.ts";
import { onChoreographedOrder } from "./events/on-choreographed-order.ts";
import { onOrderEvent } from "./events/on-order-event.ts";
import { sealTokens } from "./events/seal-token.ts";
import {
  joinedOperations,
  operationsService,
} from "./rpc/operations-service.ts";
import { joinedMethods, orderService } from "./rpc/order-service.ts";
import { openLog } from "./store/order-log.ts";
import { orderToProto } from "./rpc/order-to-proto.ts";

const migrations = fileURLToPath(new URL("migrations", import.meta.url));

/** Starts the service. What is started last stops first: the servers, the drivers, the consumer, the relay, the pool. */
export async function startOrder(runtime: Runtime): Promise<void> {
  const { logger, signal, onDrain } = runtime;
  const config = readOrderConfig(runtime.env);
  const url = config.DATABASE_URL.reveal();
  await migrate({ url, schema: "orders", folder: migrations, logger });

  const db = createDatabase({
    url,
    logger,
    applicationName: "order",
    poolSize: config.DATABASE_POOL_SIZE,
  });
  onDrain("database", () => db.close());
  await openLog(db);
  const bus = createKafkaBus({
    brokers: config.KAFKA_BROKERS,
    clientId: "order",
    logger,
  });
  onDrain("event bus", () => bus.close());
  const relay = startRelay({ db, bus, logger, source: "/weft/order" });
  onDrain("relay", () => relay.stop());
  const clock = await startDatabaseClock({ db, logger }, signal);
  onDrain("clock", () => clock.done);
  const { now } = clock;
  const consumer = startConsumer({
    db,
    bus,
    logger,
    group: "order-timeline",
    handlers: onOrderEvent({ now }),
    now,
    // Nobody waits for a timeline: it may be a second behind.
    fetchEveryMs: 1_000,
  });
  onDrain("consumer", () => consumer.stop());

  const callees = connectParticipants(runtime, config);
  const { participants } = callees.twoPhase;
  const changes = startOrderChanges({ db, logger, now }, signal);
  onDrain("changes", () => changes.done());
  const observing = observeLog({ db, logger }, signal);
  onDrain("log observer", () => observing);
  const looking = { db, logger, now, participants };
  const observingStuck = observeStuckOrders(looking, signal);
  onDrain("observer of stuck orders", () => observingStuck);
  const outbox = createOutbox(relay);
  const tokenSecret = config.PAYMENT_TOKEN_SECRET;
  const seal = tokenSecret && sealTokens(tokenSecret);
  const wake = () => {
    outbox.wake();
    changes.wake();
  };
  const saving = {
    db,
    changes,
    now,
    announce: announceThrough(outbox, orderToProto, seal),
    announceRow: announceRowsThrough(outbox, orderToProto, seal),
    batches: createOrderBatches({ db, logger, wake }),
  };
  const drivers = startOrderDrivers(
    { ...saving, ...callees, logger },
    {
      limit: config.ORDER_DRIVERS,
      maxWaiting: config.ORDER_WAITING,
      maxFollowed: config.ORDER_FOLLOWED,
      pollMs: config.ORDER_POLL_MS,
    },
    signal,
  );
  onDrain("drivers", (hurry) => drivers.done(hurry));
  if (seal) {
    const follower = startConsumer({
      db,
      bus,
      logger,
      group: "order-choreography",
      handlers: onChoreographedOrder({ ...saving, wake, drivers }),
      now,
    });
    onDrain("follower", () => follower.stop());
  }
  const sweeper = sweepInDoubt({ db, logger, now, participants }, signal);
  onDrain("in-doubt sweeper", () => sweeper);

  const pageTokens = createPageTokens(config.WEFT_PAGE_TOKEN_SECRET);
  const deps = { ...saving, drivers, newId: () => newId() };
  const server = await serve({
    host: config.WEFT_HOST,
    grpcPort: config.WEFT_GRPC_PORT,
    connectPort: config.WEFT_CONNECT_PORT,
    tls: tlsFiles(config),
    services: [
      orderService({
        ...deps,
        coordination: config.ORDER_COORDINATION,
        isChoreographyOffered: seal !== undefined,
        inventory: callees.inventory,
        pageTokens,
        resumeTokens: createPageTokens(config.WEFT_PAGE_TOKEN_SECRET, {
          kind: "resume",
        }),
        heartbeatMs: config.ORDER_WATCH_HEARTBEAT_MS,
      }),
      operationsService({ ...deps, ...looking, pageTokens }),
    ],
    logger,
    audit: createAuditLog({ db, logger }),
    once: { db, joined: [...joinedMethods, ...joinedOperations] },
    ready: async () => (await db.query("select 1")).rowCount === 1,
  });
  onDrain("servers", (hurry) => server.drain(hurry));
}

function connectParticipants(
  { logger, onDrain }: Runtime,
  config: ReturnType<typeof readOrderConfig>,
) {
  const connect = (callee: string, address: string) => {
    const tls = tlsFiles(config);
    const transport = createMeshTransport({ callee, address, tls, logger });
    onDrain(`${callee} client`, async () => transport.close());
    return transport;
  };
  const inventory = connect("inventory", config.INVENTORY_ADDRESS);
  const payment = connect("payment", config.PAYMENT_ADDRESS);
  return {
    inventory: inventoryClient(inventory),
    payment: paymentClient(payment),
    twoPhase: {
      quote: quoteClient(inventory),
      participants: [
        participantClient("inventory", inventory, works.sellStock),
        participantClient("payment", payment, works.takePayment),
      ],
    },
  };
}
