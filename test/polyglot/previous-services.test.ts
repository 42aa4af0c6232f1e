import type { DescMethod } from "@bufbuild/protobuf";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { filesOf } from "../../deploy/local/certificate-files.ts";
import { actFor } from "../../services/platform/rpc/act-for.ts";
import { createMeshTransport } from "../../services/platform/rpc/mesh-transport.ts";
import { connectToEdge } from "../support/edge-clients.ts";
import { tokenFor } from "../support/edge-token.ts";
import { openShop, PRICE } from "../support/mesh-shop.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";
import { silentLogger } from "../support/silent-logger.ts";
import {
  previousClient,
  readPreviousRelease,
  type PreviousClient,
} from "./previous-release.ts";
import { eur, paymentOf, reservationOf } from "./previous-resources.ts";

const { forServices, methodsOf } = readPreviousRelease();
const inventory = methodsOf("weft.inventory.v1.InventoryService");
const payment = methodsOf("weft.payment.v1.PaymentService");
const answered = new Set<DescMethod>();

/** A tenant and its owner. Stock that is sold to nobody's order would be a fault of the audited books. */
const UNAUDITED = "globex";

it("an Order service of the last release holds stock, and sells it", async () => {
  const sku = await sellUnaudited();
  using service = orderService("inventory", UNAUDITED);
  const { name, request } = reservationRequest(sku);

  const held = await service.call(inventory("Reserve"), request);
  const read = await service.call(inventory("GetReservation"), { name });
  const sold = await service.call(inventory("Confirm"), { name });

  const reservation = reservationOf(name, request.order, sku);
  expect(held).toEqual({
    reservation: { ...reservation, state: "STATE_HELD" },
  });
  expect(read).toEqual(held);
  expect(sold).toEqual({
    reservation: { ...reservation, state: "STATE_CONFIRMED" },
  });
});

it("an Order service of the last release gives stock back", async () => {
  const sku = await sellUnaudited();
  using service = orderService("inventory", UNAUDITED);
  const { name, request } = reservationRequest(sku);
  const { order } = request;
  await service.call(inventory("Reserve"), request);

  const released = await service.call(inventory("Release"), { name, order });

  const reservation = reservationOf(name, order, sku);
  expect(released).toEqual({
    reservation: { ...reservation, state: "STATE_RELEASED" },
  });
});

it("an Order service of the last release holds money, and lets it go", async () => {
  using shop = await openShop("gRPC", 1n);
  // Out of stock, so that no money was held for it.
  const { name } = await shop.settled(shop.order(2));
  const id = name.slice("orders/".length);
  using service = orderService("payment", "demo");

  const authorized = await service.call(payment("Authorize"), {
    paymentId: id,
    order: name,
    amount: eur(25),
    paymentToken: "tok_visa",
  });
  const voided = await service.call(payment("Void"), {
    name: `payments/${id}`,
    order: name,
  });

  expect(authorized).toEqual({
    payment: paymentOf(name, "STATE_AUTHORIZED", 0),
  });
  expect(voided).toEqual({ payment: paymentOf(name, "STATE_VOIDED", 0) });
});

it("an Order service of the last release takes money once, and gives it back", async () => {
  using shop = await openShop();
  const { name, payment: paid } = await shop.settled(shop.order(2));
  using service = orderService("payment", "demo");

  // What a service does that stopped before it had stored the answer.
  const captured = await service.call(payment("Capture"), { name: paid });
  const refunded = await service.call(payment("Refund"), {
    name: paid,
    refundId: randomUUID(),
    amount: eur(10),
  });

  const paidOnce = paymentOf(name, "STATE_CAPTURED", 25);
  expect(captured).toEqual({ payment: paidOnce });
  expect(refunded).toEqual({
    payment: { ...paidOnce, refundedAmount: eur(10) },
  });
  expect(await shop.money(name)).toMatchObject({ captures: 1, refunds: 1 });
});

it("no method of the last release that is for services is left uncalled", () => {
  const uncalled = forServices.filter((method) => !answered.has(method));

  expect(uncalled.map(String)).toEqual([]);
});

/** A service as the callee sees it: by the certificate that it shows, and the tenant that it acts for. */
function orderService(
  callee: "inventory" | "payment",
  tenant: string,
): PreviousClient {
  const { directory, services, edge } = meshUnderTest();
  const { cert, key } = filesOf(join(directory, "tls"), "order");
  const transport = createMeshTransport({
    address: `localhost:${services[callee]?.grpcPort}`,
    callee,
    tls: { ca: edge.ca, cert: readFileSync(cert), key: readFileSync(key) },
    logger: silentLogger,
  });
  const { headers: header } = actFor({ tenant, subject: "demo" });
  const disposable = { ...transport, [Symbol.dispose]: transport.close };
  return previousClient(disposable, { answered, header });
}

async function sellUnaudited(): Promise<string> {
  const { edge, directory } = meshUnderTest();
  const token = await tokenFor(directory, { user: UNAUDITED });
  using client = connectToEdge({ ...edge, token }, "gRPC");
  const sku = `previous-${randomUUID()}`;
  await client.inventory.createProduct({
    sku,
    openingStock: 10n,
    product: { title: sku, price: PRICE },
  });
  return sku;
}

/** A request to hold two of a product, and the name of the reservation that it makes. */
function reservationRequest(sku: string) {
  const reservationId = randomUUID();
  const order = `orders/${randomUUID()}`;
  const lines = [{ sku, quantity: 2 }];
  return {
    name: `reservations/${reservationId}`,
    request: { reservationId, order, lines, ttl: "60s" },
  };
}
