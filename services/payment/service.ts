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
import { moneyToProto } from "../platform/rpc/money.ts";
import { createPageTokens } from "../platform/rpc/page-token.ts";
import { serve } from "../platform/rpc/server.ts";
import { tlsFiles } from "../platform/runtime/config.ts";
import { newId } from "../platform/runtime/ids.ts";
import type { Logger } from "../platform/runtime/logger.ts";
import type { Runtime } from "../platform/runtime/run-service.ts";
import { createFlights } from "./app/flights.ts";
import { watchProviderEvents } from "./app/provider-events.ts";
import { runReconciliation } from "./app/reconciliation.ts";
import { createProviderLane } from "./app/provider-lane.ts";
import { createPaymentBatches } from "./app/record-batch.ts";
import { recoverPayments } from "./app/recover-payments.ts";
import { keepBalances } from "./app/roll-up-balances.ts";
import { createProviderHttp } from "./clients/provider-http.ts";
import { createPaymentProvider } from "./clients/provider.ts";
import { readPaymentConfig, type Config } from "./config.ts";
import type { Payment } from "./domain/payment.ts";
import {
  announceThrough,
  announceTogetherThrough,
} from "./events/announce-change.ts";
import { onChoreographedOrder } from "./events/on-choreographed-order.ts";
import { participantService } from "./rpc/participant-service.ts";
import { paymentService } from "./rpc/payment-service.ts";
import { paymentToProto } from "./rpc/payment-to-proto.ts";

const MIGRATIONS = fileURLToPath(new URL("migrations", import.meta.url));

/** Enough for second phases, which are one statement each. */
const RESOLVER_POOL_SIZE = 4;

/**
 * Payments of choreographed orders that the provider is asked about at the same time, and that wait for it. Where it takes
 * 640 ms for each the last waits 5 s: then its order asks by itself.
 */
const PROVIDER_LANE = { width: 64, maxWaiting: 512 };

/** Starts the service. What it starts last it stops first: servers, then the recovery, the relay, the bus, the pool. */
export async function startPayment(runtime: Runtime): Promise<void> {
  const { logger, signal, onDrain } = runtime;
  const config = readPaymentConfig(runtime.env);
  const url = config.DATABASE_URL.reveal();
  await migrate({ url, schema: "payment", folder: MIGRATIONS, logger });

  const db = createDatabase({
    url,
    logger,
    applicationName: "payment",
    poolSize: config.DATABASE_POOL_SIZE,
  });
  onDrain("database", () => db.close());
  const resolver = createDatabase({
    url,
    logger,
    applicationName: "payment two-phase",
    poolSize: RESOLVER_POOL_SIZE,
  });
  onDrain("two-phase database", () => resolver.close());
  const bus = createKafkaBus({
    brokers: config.KAFKA_BROKERS,
    clientId: "payment",
    logger,
  });
  onDrain("event bus", () => bus.close());
  const relay = startRelay({ db, bus, logger, source: "/weft/payment" });
  onDrain("relay", () => relay.stop());

  const { http, cutOff } = startProvider(config, logger);
  const flights = createFlights<Payment>();
  onDrain("provider", async (hurry) => {
    await cutOff(flights.idle(), hurry);
    http.close();
  });
  const clock = await startDatabaseClock({ db, logger }, signal);
  onDrain("clock", () => clock.done);
  const outbox = createOutbox(relay);
  const shapes = { payment: paymentToProto, money: moneyToProto };
  const recording = {
    db,
    announce: announceThrough(outbox, shapes),
    announceTogether: announceTogetherThrough(outbox, shapes),
    newId: () => newId(),
    now: clock.now,
    checkTimes: {
      recoverAfterMs: config.PAYMENT_RECOVER_AFTER_MS,
      lateCheckMs: config.PAYMENT_LATE_CHECK_MS,
    },
  };
  const deps = {
    ...recording,
    resolver,
    batches: createPaymentBatches({ ...recording, logger }),
    provider: createPaymentProvider({ http, logger }),
    flights,
    logger,
    pageTokens: createPageTokens(config.WEFT_PAGE_TOKEN_SECRET),
    absenceMs: config.PAYMENT_ABSENCE_MS,
    intervalMs: config.PAYMENT_RECOVER_INTERVAL_MS,
    reconcileAfterMs: config.PAYMENT_RECONCILE_AFTER_MS,
    reconcileIntervalMs: config.PAYMENT_RECONCILE_INTERVAL_MS,
  };
  const chores = Promise.all([
    recoverPayments(deps, signal),
    watchProviderEvents(deps, signal),
    keepBalances(deps, signal),
    runReconciliation(deps, signal),
    watchInDoubt({ ...deps, db: resolver, participant: "payment" }, signal),
  ]).then(() => undefined);
  onDrain("chores", (hurry) => cutOff(chores, hurry));
  if (config.PAYMENT_TOKEN_SECRET) {
    const consumer = startConsumer({
      db,
      bus,
      logger,
      group: "payment-choreography",
      handlers: onChoreographedOrder(
        { ...deps, providerLane: createProviderLane(PROVIDER_LANE) },
        config.PAYMENT_TOKEN_SECRET,
      ),
      now: clock.now,
    });
    onDrain("consumer", () => consumer.stop());
  }

  const server = await serve({
    host: config.WEFT_HOST,
    grpcPort: config.WEFT_GRPC_PORT,
    connectPort: config.WEFT_CONNECT_PORT,
    tls: tlsFiles(config),
    services: [
      paymentService({
        ...deps,
        webhookSecrets: config.PAYMENT_WEBHOOK_SECRETS,
        eventDelayMs: config.PAYMENT_EVENT_DELAY_MS,
      }),
      participantService(deps),
    ],
    logger,
    audit: createAuditLog({ db, logger }),
    ready: async () => (await db.query("select 1")).rowCount === 1,
  });
  onDrain("servers", (hurry) => server.drain(hurry));
}

function startProvider(config: Config, logger: Logger) {
  const end = new AbortController();
  const http = createProviderHttp({
    url: config.PAYMENT_PROVIDER_URL,
    timeoutMs: config.PAYMENT_PROVIDER_TIMEOUT_MS,
    signal: end.signal,
    logger,
  });
  /** Waits for work under way, whose answers save payments from UNKNOWN; at `hurry` its calls are cut off. */
  async function cutOff(work: Promise<void>, hurry: AbortSignal) {
    const abort = (): void => end.abort(new Error("the process ends"));
    if (hurry.aborted) abort();
    hurry.addEventListener("abort", abort, { once: true });
    await work;
  }
  return { http, cutOff };
}
