import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CertificateFiles } from "../../../deploy/local/certificate-files.ts";
import { startMesh } from "../../../deploy/local/mesh.ts";
import type { Mesh } from "../../../deploy/local/mesh-handle.ts";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { asAdmin } from "../../faults/as-admin.ts";
import { createLogger } from "../../../services/platform/runtime/logger.ts";

const CLAIMS = Buffer.from(
  JSON.stringify({
    sub: "bench",
    tenant: "demo",
    scope: "orders:read orders:write inventory:write",
  }),
).toString("base64url");

/** A mesh to measure: its services, Postgres, Kafka and the payment provider, without an edge and without tracing. */
export interface BenchMesh extends AsyncDisposable {
  readonly mesh: Mesh;
  readonly orders: Client<typeof OrderService>;
  /** What the services' callers send: the claims that an edge would have verified. */
  readonly asUser: { readonly headers: Readonly<Record<string, string>> };
  /** The Order service's own way to a participant, for a peer that does what it does. */
  readonly asOrder: (callee: "inventory" | "payment") => Transport;
  /** Creates products with more stock than any run sells; returns their SKUs. */
  readonly createProducts: (count: number) => Promise<string[]>;
}

export async function startBenchMesh(): Promise<BenchMesh> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const mesh = stack.use(
    await startMesh({ directory, components: [], edgePort: false }),
  );
  const transport = await openTransports(
    mesh,
    stack,
    mesh.certificates.edgeMesh,
  );
  const openAsOrder = await openTransports(
    mesh,
    stack,
    mesh.certificates.services["order"],
  );
  const participants = {
    inventory: openAsOrder("inventory"),
    payment: openAsOrder("payment"),
  };
  const orders = createClient(OrderService, transport("order"));
  const inventory = createClient(InventoryService, transport("inventory"));
  const asUser = { headers: { "x-weft-claims": CLAIMS } };
  const createProduct = async () => {
    const sku = `bench-${randomUUID()}`;
    const price = { currencyCode: "EUR", units: 9n, nanos: 990_000_000 };
    await inventory.createProduct(
      { sku, openingStock: 1_000_000n, product: { title: sku, price } },
      asUser,
    );
    return sku;
  };
  const createProducts = async (count: number) => {
    const skus: string[] = [];
    while (skus.length < count) {
      const some = Math.min(20, count - skus.length);
      skus.push(
        ...(await Promise.all(Array.from({ length: some }, createProduct))),
      );
    }
    return skus;
  };
  const started = stack.move();
  return {
    mesh,
    orders,
    asUser,
    asOrder: (callee) => participants[callee],
    createProducts,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Brings the statistics of all tables up to date, from which statements are planned. */
export async function analyze({ mesh }: BenchMesh): Promise<void> {
  await asAdmin(mesh, (admin) => admin.query("analyze"));
}

/** Transports of the peer that has this certificate. The edge is the only one that may speak for a user. */
async function openTransports(
  mesh: Mesh,
  stack: AsyncDisposableStack,
  certificate: CertificateFiles | undefined,
) {
  if (certificate === undefined) throw new Error("the peer has no certificate");
  const tls = {
    ca: await readFile(mesh.certificates.ca),
    cert: await readFile(certificate.cert),
    key: await readFile(certificate.key),
  };
  return (callee: "order" | "inventory" | "payment") => {
    const address = mesh.services[callee];
    if (address === undefined) throw new Error(`${callee} has no address`);
    const transport = createMeshTransport({
      address: `${address.host}:${address.grpcPort}`,
      callee,
      tls,
      logger: createLogger("bench", "error"),
    });
    stack.defer(() => transport.close());
    return transport;
  };
}
