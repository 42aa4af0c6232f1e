import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { expect, inject, onTestFinished, test } from "vitest";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { ProductCreatedSchema } from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import type { IncomingRecord } from "../../../services/platform/events/event-bus.ts";
import { createKafkaBus } from "../../../services/platform/events/kafka-bus.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { setupDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { reserveRequest } from "./inventory-world.ts";

const MAIN = fileURLToPath(
  new URL("../../../services/inventory/main.ts", import.meta.url),
);

/** The service as a process of its own, with what it needs to run. */
async function setup() {
  const folder = await mkdtemp(join(tmpdir(), "weft-inventory-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const certificates = await ensureCertificates(folder, ["inventory", "order"]);
  const database = await setupDatabase({ service: "inventory" });
  onTestFinished(() => database.close());
  const grpcPort = await freePort();
  const env = {
    ...process.env,
    WEFT_HOST: "127.0.0.1",
    WEFT_GRPC_PORT: String(grpcPort),
    WEFT_TLS_CA: certificates.ca,
    WEFT_TLS_CERT: certificates.services["inventory"]?.cert,
    WEFT_TLS_KEY: certificates.services["inventory"]?.key,
    DATABASE_URL: database.url,
    KAFKA_BROKERS: inject("kafkaBrokers").join(","),
    WEFT_PAGE_TOKEN_SECRET: "a secret of 32 characters at least",
    LOG_LEVEL: "warn",
  };
  const clientOf = async (peer: "edge" | "order") => {
    const files =
      peer === "edge" ? certificates.edgeMesh : certificates.services[peer];
    const transport = createMeshTransport({
      address: `127.0.0.1:${grpcPort}`,
      callee: "inventory",
      tls: {
        ca: await readFile(certificates.ca),
        cert: await readFile(files?.cert ?? ""),
        key: await readFile(files?.key ?? ""),
      },
      logger: silentLogger,
    });
    onTestFinished(() => transport.close());
    return createClient(InventoryService, transport);
  };
  return { env, clientOf };
}

function start(env: NodeJS.ProcessEnv) {
  const child = fork(MAIN, {
    env,
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  return { child, exited };
}

test("runs as a process: serves the mesh, announces on Kafka, ends cleanly when told", async () => {
  const { env, clientOf } = await setup();
  const { child, exited } = start(env);
  const signal = AbortSignal.timeout(20_000);
  const [said] = await once(child, "message", { signal });
  expect(said).toBe("ready");
  const [user, order] = [await clientOf("edge"), await clientOf("order")];
  const sku = `mug-${newId()}`;
  const claims = { sub: "u", tenant: "acme", scope: "inventory:write" };

  const price = { currencyCode: "EUR", units: 1n };
  await user.createProduct(
    { sku, product: { title: "A mug", price }, openingStock: 1n },
    {
      headers: {
        [identityHeaders.claims]: Buffer.from(JSON.stringify(claims)).toString(
          "base64url",
        ),
      },
    },
  );
  const { reservation } = await order.reserve(reserveRequest({ [sku]: 1 }), {
    headers: { [identityHeaders.tenant]: "acme" },
  });
  const [created] = await recordsOf(sku);

  expect(reservation?.total).toMatchObject(price);
  expect(created?.headers["ce_type"]).toBe("weft.inventory.v1.ProductCreated");
  expect(created?.headers["ce_tenant"]).toBe("acme");
  const value = created?.value ?? new Uint8Array();
  expect(fromBinary(ProductCreatedSchema, value).product?.sku).toBe(sku);
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

test("names every setting that is missing, and does not start", async () => {
  const { env } = await setup();
  const { child, exited } = start({
    ...env,
    DATABASE_URL: undefined,
    KAFKA_BROKERS: "nowhere",
    WEFT_PAGE_TOKEN_SECRET: "short",
  });
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => (errors += text));

  const [code] = await exited;

  expect(code).toBe(2);
  expect(errors).toContain("DATABASE_URL");
  expect(errors).toContain("KAFKA_BROKERS");
  expect(errors).toContain("WEFT_PAGE_TOKEN_SECRET");
});

/** Waits for the records of one key on the service's topic. */
async function recordsOf(key: string): Promise<IncomingRecord[]> {
  const found: IncomingRecord[] = [];
  await using bus = createKafkaBus({
    brokers: inject("kafkaBrokers"),
    clientId: "inventory-test",
    logger: silentLogger,
  });
  bus.consume({
    group: `test-${newId()}`,
    topics: ["weft.inventory.v1"],
    handle: async (batch) => {
      for (const record of batch.records) {
        if (record.key === key) found.push(record);
        batch.markDone(record);
      }
    },
  });
  await eventually(`a record of ${key}`, () => found.length > 0, 25_000);
  return found;
}
