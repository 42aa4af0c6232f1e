import { randomUUID } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { file_weft_order_v1_order_events } from "../../../gen/ts/weft/order/v1/order_events_pb.ts";
import {
  type Order_State as State,
  type Order,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createOrderBatches } from "../../../services/order/app/order-batches.ts";
import { startOrderChanges } from "../../../services/order/app/order-changes.ts";
import { startOrderDrivers } from "../../../services/order/app/order-drivers.ts";
import { inventoryClient } from "../../../services/order/clients/inventory.ts";
import { paymentClient } from "../../../services/order/clients/payment.ts";
import {
  announceRowsThrough,
  announceThrough,
} from "../../../services/order/events/announce-order.ts";
import { sealTokens } from "../../../services/order/events/seal-token.ts";
import {
  joinedMethods,
  orderService,
  type OrderDeps,
} from "../../../services/order/rpc/order-service.ts";
import { orderToProto } from "../../../services/order/rpc/order-to-proto.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { peerKey } from "../../../services/platform/rpc/caller.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { withMiddleware } from "../../../services/platform/rpc/middleware.ts";
import { createPageTokens } from "../../../services/platform/rpc/page-token.ts";
import { createValidate } from "../../../services/platform/rpc/validate.ts";
import { Secret } from "../../../services/platform/runtime/config.ts";
import type { TlsFiles } from "../../../services/platform/runtime/tls-files.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import type { Logger } from "../../../services/platform/runtime/logger.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { setupParticipants, type Participants } from "./participants.ts";

export type OrderClient = Client<typeof OrderService>;

/** One process of the Order service, but for its sockets. */
export interface OrderProcess {
  /** What the use cases take. */
  readonly deps: OrderDeps;
  /** The messages of its log. */
  readonly logged: readonly string[];
  /** A user of the world's tenant, or of another, with every scope. */
  user(tenant?: string): OrderClient;
  /** Drains it, as a SIGTERM does. */
  stop(): Promise<void>;
  /** From now on no answer of a participant reaches it, and it takes up nothing: it is dead to the world. */
  die(): void;
}

export interface ProcessOptions {
  readonly drivers?: number;
  readonly maxWaiting?: number;
  readonly maxFollowed?: number;
  readonly pollMs?: number;
  readonly heartbeatMs?: number;
  /** What CreateOrder is told of the time that is left; the deadline itself stays as far away as the contract says. */
  readonly timeLeftMs?: number;
}

export interface World {
  readonly tenant: string;
  readonly database: TestDatabase;
  readonly db: Database;
  readonly participants: Participants;
  start(options?: ProcessOptions): OrderProcess;
  /** Moves the clock of every process. */
  pass(ms: number): void;
  readonly now: () => Date;
}

/** Two-phase commits have a world of their own: test/integration/coordination. */
const twoPhase = {
  quote: () => Promise.reject(new Error("no order here is quoted")),
  participants: [],
};

/** A database of its own, as drivers take up whatever is due in theirs, and participants on a real socket. */
export async function setupWorld(): Promise<World> {
  const tenant = `tenant-${randomUUID()}`;
  const database = await setupDatabase({ service: "order" });
  onTestFinished(() => database.close());
  const participants = await setupParticipants();
  const tls = await participants.tlsOf(
    participants.certificates.services["order"],
  );
  let offsetMs = 0;
  const now = () => new Date(Date.now() + offsetMs);
  return {
    tenant,
    database,
    db: openDatabase(database),
    participants,
    start: (options = {}) =>
      startProcess({ tenant, database, participants, now, tls }, options),
    pass: (ms) => void (offsetMs += ms),
    now,
  };
}

function openDatabase(database: TestDatabase): Database {
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "order test",
    poolSize: 10,
    maxWaiting: 500,
    acquireTimeoutMs: 20_000,
  });
  onTestFinished(() => db.close());
  return db;
}

const tokenSecret = new Secret("a secret of 32 characters at least");
const seal = sealTokens(tokenSecret);

function startProcess(
  world: Pick<World, "tenant" | "database" | "participants" | "now"> & {
    readonly tls: TlsFiles;
  },
  options: ProcessOptions,
): OrderProcess {
  const { tenant, now } = world;
  const stopping = new AbortController();
  const logged: string[] = [];
  const logger = recordingLogger(logged);
  const db = openDatabase(world.database);
  const { participants, die } = connectParticipants(
    world.participants,
    world.tls,
  );
  const changes = startOrderChanges({ db, logger, now }, stopping.signal);
  const outbox = createOutbox({ wake: () => undefined });
  const saving = {
    db,
    changes,
    now,
    announce: announceThrough(outbox, orderToProto, seal),
    announceRow: announceRowsThrough(outbox, orderToProto, seal),
    batches: createOrderBatches({ db, logger, wake: () => changes.wake() }),
  };
  const drivers = startOrderDrivers(
    { ...saving, ...participants, twoPhase, logger },
    {
      limit: options.drivers ?? 64,
      maxWaiting: options.maxWaiting ?? 1_000,
      maxFollowed: options.maxFollowed ?? 1_000,
      pollMs: options.pollMs ?? 20,
    },
    stopping.signal,
  );
  const stop = async () => {
    stopping.abort();
    await drivers.done(AbortSignal.timeout(5_000));
    await changes.done();
  };
  let isDead = false;
  onTestFinished(() => (isDead ? undefined : stop()));
  const deps: OrderDeps = {
    ...saving,
    drivers,
    newId: () => newId(),
    pageTokens: createPageTokens(tokenSecret, { now }),
    resumeTokens: createPageTokens(tokenSecret, { kind: "resume", now }),
    coordination: "orchestrated",
    isChoreographyOffered: true,
    inventory: participants.inventory,
    heartbeatMs: options.heartbeatMs ?? 15_000,
  };
  const client = clientOf(deps, options.timeLeftMs);
  return {
    deps,
    logged,
    user: (of = tenant) => client(of),
    stop,
    die() {
      isDead = true;
      die();
      stopping.abort();
    },
  };
}

function recordingLogger(logged: string[]): Logger {
  const record = (fields: object, message: string) => {
    logged.push(message);
    silentLogger.warn(fields, message);
  };
  const logger: Logger = {
    ...silentLogger,
    warn: record,
    error: record,
    child: () => logger,
  };
  return logger;
}

function connectParticipants(served: Participants, tls: TlsFiles) {
  const connect = (callee: string, address: string) => {
    const transport = createMeshTransport({
      address,
      callee,
      tls,
      logger: silentLogger,
      // The tests let calls fail on purpose.
      breaker: { volumeThreshold: 1_000_000 },
    });
    onTestFinished(() => transport.close());
    return transport;
  };
  let isDead = false;
  const whileAlive = async <T>(call: Promise<T>): Promise<T> => {
    const answer = await call;
    return isDead ? new Promise<never>(() => {}) : answer;
  };
  const inventory = inventoryClient(
    connect("inventory", served.inventoryAddress),
  );
  const payment = paymentClient(connect("payment", served.paymentAddress));
  return {
    participants: {
      inventory: {
        reserve: (order) => whileAlive(inventory.reserve(order)),
        confirm: (order) => whileAlive(inventory.confirm(order)),
        release: (order) => whileAlive(inventory.release(order)),
        find: (order) => whileAlive(inventory.find(order)),
      } satisfies typeof inventory,
      payment: {
        authorize: (order) => whileAlive(payment.authorize(order)),
        capture: (order) => whileAlive(payment.capture(order)),
        void: (order) => whileAlive(payment.void(order)),
        find: (order) => whileAlive(payment.find(order)),
      } satisfies typeof payment,
    },
    die: () => void (isDead = true),
  };
}

function clientOf(deps: OrderDeps, timeLeftMs?: number) {
  const { implementation: own } = orderService(deps);
  const createOrder: typeof own.createOrder = (request, context) =>
    own.createOrder(request, {
      ...context,
      ...(timeLeftMs !== undefined && { timeoutMs: () => timeLeftMs }),
    });
  const implementation = withMiddleware(
    {
      logger: silentLogger,
      validate: createValidate(),
      once: { db: deps.db, joined: joinedMethods },
    },
    OrderService,
    { ...own, createOrder },
  );
  return (tenant: string): OrderClient => {
    const claims = Buffer.from(
      JSON.stringify({
        sub: "ada",
        tenant,
        scope: "orders:read orders:write",
      }),
    ).toString("base64url");
    const transport = createRouterTransport(
      (router) => void router.service(OrderService, implementation),
      {
        router: {
          interceptors: [
            (next) => (request) => {
              request.contextValues.set(peerKey, "edge");
              request.header.set(identityHeaders.claims, claims);
              return next(request);
            },
          ],
        },
      },
    );
    return createClient(OrderService, transport);
  };
}

/** A CreateOrder of two mugs, which cost 25 EUR. */
export function twoMugs() {
  return {
    order: {
      lines: [{ sku: "mug", quantity: 2 }],
      paymentToken: "tok_visa",
    },
  };
}

/** Places an order and answers with it. */
export async function placed(
  user: OrderClient,
  request: Parameters<OrderClient["createOrder"]>[0] = twoMugs(),
): Promise<Order> {
  const { order } = await user.createOrder(request);
  return required(order);
}

/** The order as it stands. */
export async function read(user: OrderClient, name: string): Promise<Order> {
  const { order } = await user.getOrder({ name });
  return required(order);
}

/** Waits until an order is in a state; answers with it. */
export async function inState(
  user: OrderClient,
  name: string,
  state: State,
): Promise<Order> {
  let order = await read(user, name);
  await eventually(`${name} is in state ${state}`, async () => {
    order = await read(user, name);
    return order.state === state;
  });
  return order;
}

/** An order's id. */
export function idOf(order: Pick<Order, "name">): string {
  return order.name.slice("orders/".length);
}

export interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The refusal that a call ends in; fails if it succeeds. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    const refused = ConnectError.from(error);
    const [info] = refused.findDetails(ErrorInfoSchema);
    return {
      code: Code[refused.code] ?? "",
      reason: info?.reason ?? "",
      metadata: { ...info?.metadata },
    };
  }
  throw new Error("the call was not refused");
}

/** What the outbox holds of one order, oldest first. */
export async function eventsOf(world: World, order: string) {
  const { rows } = await world.db.query<{
    type: string;
    sequence: bigint;
    tenant: string;
    payload: Buffer;
  }>(
    `select type, sequence, tenant, payload
     from outbox
     where aggregate_id = $1
     order by position`,
    [order],
  );
  return rows.map(({ type, payload, ...row }) => {
    const desc = file_weft_order_v1_order_events.messages.find(
      (message) => message.typeName === type,
    );
    if (desc === undefined) throw new Error(`no contract for ${type}`);
    return { ...row, type: desc.name, message: fromBinary(desc, payload) };
  });
}

function required(order: Order | undefined): Order {
  if (!order) throw new Error("the answer has no order");
  return order;
}
