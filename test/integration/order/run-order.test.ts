import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import pg from "pg";
import { expect, inject, onTestFinished, test } from "vitest";
import { freePort } from "../../../deploy/local/ports.ts";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { idOf, inState, placed, read, twoMugs } from "./order-world.ts";
import { setupParticipants } from "./participants.ts";

const MAIN = fileURLToPath(
  new URL("../../../services/order/main.ts", import.meta.url),
);

/** What the service needs to run as a process, and a user of it. */
async function setup() {
  const participants = await setupParticipants();
  const { certificates } = participants;
  const database = await setupDatabase({ service: "order" });
  onTestFinished(() => database.close());
  await asDeployed(database);
  const grpcPort = await freePort();
  const files = certificates.services["order"];
  const env = {
    ...process.env,
    WEFT_HOST: "127.0.0.1",
    WEFT_GRPC_PORT: String(grpcPort),
    WEFT_TLS_CA: certificates.ca,
    WEFT_TLS_CERT: files?.cert,
    WEFT_TLS_KEY: files?.key,
    DATABASE_URL: database.url,
    KAFKA_BROKERS: inject("kafkaBrokers").join(","),
    WEFT_PAGE_TOKEN_SECRET: "a secret of 32 characters at least",
    INVENTORY_ADDRESS: participants.inventoryAddress,
    PAYMENT_ADDRESS: participants.paymentAddress,
    LOG_LEVEL: "error",
  };
  const transport = createMeshTransport({
    address: `127.0.0.1:${grpcPort}`,
    callee: "order",
    tls: await participants.tlsOf(certificates.edgeMesh),
    logger: silentLogger,
  });
  onTestFinished(() => transport.close());
  const claims = Buffer.from(
    JSON.stringify({
      sub: "ada",
      tenant: "acme",
      scope: "orders:read orders:write",
    }),
  ).toString("base64url");
  const user = createClient(OrderService, {
    stream: transport.stream,
    unary: (method, signal, timeoutMs, header, input) => {
      const headers = new Headers(header);
      headers.set(identityHeaders.claims, claims);
      return transport.unary(method, signal, timeoutMs, headers, input);
    },
  });
  return { participants, database, env, user };
}

/** The service's schema has another name than its folder, as `order` is a word of SQL. */
async function asDeployed(database: TestDatabase): Promise<void> {
  await administer(
    database,
    `alter schema "order" rename to orders;
     do $$ begin
       execute format(
         'alter role role_order in database %I set search_path = orders',
         current_database()
       );
     end $$`,
  );
}

async function administer(database: TestDatabase, sql: string): Promise<void> {
  const admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  await admin.query(sql);
  await admin.end();
}

/** Starts the process; resolves when it is ready. */
async function start(env: NodeJS.ProcessEnv) {
  const child = fork(MAIN, {
    env,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const signal = AbortSignal.timeout(20_000);
  const [said] = await once(child, "message", { signal });
  expect(said).toBe("ready");
  return { child, exited };
}

test("survives a SIGKILL between two steps: the next process goes on with the order", async () => {
  const { participants, database, env, user } = await setup();
  const first = await start(env);
  const held = participants.hold("authorize");
  const order = await placed(user);
  await held.reached;

  first.child.kill("SIGKILL");
  await first.exited;
  held.open();
  // The lease would run out by itself, 12 s later.
  await administer(database, `update orders.orders set due_at = now()`);
  const second = await start(env);
  await inState(user, order.name, State.COMPLETED);
  await eventually(
    "its events came back from Kafka",
    async () => (await read(user, order.name)).timeline.length === 3,
    30_000,
  );

  expect(participants.stepsOf(idOf(order))).toEqual([
    "reserve",
    "authorize",
    "authorize",
    "confirm",
    "capture",
  ]);
  second.child.kill("SIGTERM");
  expect(await second.exited).toEqual([0, null]);
}, 60_000);

test("drains at a SIGTERM: answers who waits, ends the step under way, ends cleanly", async () => {
  const { participants, env, user } = await setup();
  const { child, exited } = await start(env);
  const held = participants.hold("authorize");
  const waiting = placed(user, { ...twoMugs(), wait: true });
  await held.reached;

  child.kill("SIGTERM");
  const order = await waiting;
  held.open();

  expect(order.state).toBe(State.RESERVED);
  expect(await exited).toEqual([0, null]);
  expect(participants.stepsOf(idOf(order))).toEqual(["reserve", "authorize"]);
}, 60_000);
