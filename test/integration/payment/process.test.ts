import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { expect, inject, onTestFinished, test } from "vitest";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { startProcess } from "../../../deploy/local/process.ts";
import { Payment_State } from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { createDatabase } from "../../../services/platform/data/database.ts";
import { actFor } from "../../../services/platform/rpc/act-for.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { setupDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { setupProvider } from "../payment-provider/provider-process.ts";
import { authorizeRequest } from "./payment-world.ts";

const MAIN = fileURLToPath(
  new URL("../../../services/payment/main.ts", import.meta.url),
);

/** The service as a process of its own, with the real provider, Postgres and Kafka, called by mTLS as the Order service. */
async function setup() {
  const directory = await mkdtemp(join(tmpdir(), "weft-payment-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const database = await setupDatabase({ service: "payment" });
  onTestFinished(() => database.close());
  const provider = await setupProvider({ lateMs: 60_000 });
  const certificates = await ensureCertificates(join(directory, "tls"), [
    "payment",
    "order",
  ]);
  const port = await freePort();
  const { cert, key } = certificates.services["payment"] ?? missing();
  const env = {
    WEFT_HOST: "127.0.0.1",
    WEFT_GRPC_PORT: String(port),
    WEFT_CONNECT_PORT: "0",
    WEFT_TLS_CA: certificates.ca,
    WEFT_TLS_CERT: cert,
    WEFT_TLS_KEY: key,
    WEFT_PAGE_TOKEN_SECRET: "a secret of 32 characters at least",
    DATABASE_URL: database.url,
    KAFKA_BROKERS: inject("kafkaBrokers").join(","),
    PAYMENT_PROVIDER_URL: provider.url,
    PAYMENT_RECOVER_AFTER_MS: "1500",
    PAYMENT_RECOVER_INTERVAL_MS: "50",
  };
  const start = async () => {
    const started = await startProcess({
      name: "payment",
      directory,
      command: process.execPath,
      args: [MAIN],
      env,
      ipc: true,
    });
    onTestFinished(async () => void (await started.stop()));
    await started.ready;
    return started;
  };

  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "payment process test",
    acquireTimeoutMs: 20_000,
  });
  onTestFinished(() => db.close());
  const order = certificates.services["order"] ?? missing();
  const transport = createMeshTransport({
    address: `127.0.0.1:${port}`,
    callee: "payment",
    logger: silentLogger,
    tls: {
      ca: await readFile(certificates.ca),
      cert: await readFile(order.cert),
      key: await readFile(order.key),
    },
  });
  onTestFinished(() => transport.close());
  const client = createClient(PaymentService, transport);
  const as = actFor({ tenant: "tenant", subject: "tester" });
  return { provider, db, client, as, start };
}

test("serves the mesh and publishes what happened", async () => {
  const { db, client, as, start } = await setup();
  await start();

  const { payment } = await client.authorize(authorizeRequest().request, as);

  expect(payment?.state).toBe(Payment_State.AUTHORIZED);
  await eventually("the event is published", async () => {
    const { rowCount } = await db.query(
      "select from outbox where published_at is not null",
    );
    return rowCount === 1;
  });
});

test("settles, after SIGKILL, the payment that it was asking the provider for", async () => {
  const { provider, db, client, as, start } = await setup();
  const running = await start();
  const { request, name } = authorizeRequest("tok_late");

  const gaveUp = new AbortController();
  const call = client.authorize(request, { ...as, signal: gaveUp.signal });
  const ended = expect(call).rejects.toThrow();
  await eventually(
    "the provider holds the money",
    async () => (await provider.log()).length === 1,
  );
  gaveUp.abort();
  await ended;
  process.kill(running.pid, "SIGKILL");
  await running.exited;
  const { rows: left } = await db.query("select state from payments");
  await start();

  await eventually("the payment is settled", async () => {
    const { payment } = await client.getPayment({ name }, as);
    return payment?.state === Payment_State.AUTHORIZED;
  });
  expect(left).toEqual([{ state: "AUTHORIZING" }]);
  expect(await provider.log()).toHaveLength(1);
});

test("finishes the call under way when it is told to stop", async () => {
  const { db, client, as, start } = await setup();
  const running = await start();

  const call = client.authorize(authorizeRequest("tok_slow").request, as);
  await eventually(
    "the provider is being asked",
    async () => (await db.query("select from payments")).rowCount === 1,
  );
  const exit = await running.stop(10_000);

  expect((await call).payment?.state).toBe(Payment_State.AUTHORIZED);
  expect(exit).toEqual({ code: 0, signal: null });
});

function missing(): never {
  throw new Error("no certificate was made");
}
