import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { actFor } from "../../../services/platform/rpc/act-for.ts";
import { callerOf } from "../../../services/platform/rpc/caller.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { reasonOf } from "../../../services/platform/rpc/status.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import type { Logger } from "../../../services/platform/runtime/logger.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  asUser,
  orderName,
  setupRpc,
  type InventoryImpl,
} from "./rpc-world.ts";

const products = { names: ["products/a"] };
const acme = actFor({ tenant: "acme", subject: "ada" });
const requestId = "00000000-0000-7000-8000-000000000002";
const reservation = {
  reservationId: requestId,
  order: orderName,
  lines: [{ sku: "a", quantity: 1 }],
};

/** Order, whose GetOrder asks Inventory for a product, as a user of the edge sees it. */
async function twoHops(inventory: Partial<InventoryImpl>) {
  const below =
    Promise.withResolvers<
      ReturnType<typeof createClient<typeof InventoryService>>
    >();
  const world = await setupRpc({
    async getOrder(request) {
      await (await below.promise).batchGetProducts(products);
      return { order: { name: request.name } };
    },
  });
  const server = await world.serveInventory(inventory);
  const transport = world.transport("order", "inventory", server.grpcPort);
  below.resolve(createClient(InventoryService, transport));
  return { world, orders: world.orders("gRPC"), server };
}

test("a handler's calls act for its caller and have what is left of its time, less a margin", async () => {
  const seen: { tenant: string; subject: string; leftMs: number }[] = [];
  const { world, orders } = await twoHops({
    batchGetProducts(_request, context) {
      const { tenant, subject } = callerOf(context);
      seen.push({ tenant, subject, leftMs: context.timeoutMs() ?? NaN });
      return {};
    },
  });
  await using _world = world;

  await orders.getOrder({ name: orderName }, { ...asUser, timeoutMs: 4_500 });

  expect(seen).toMatchObject([{ tenant: "acme", subject: "ada" }]);
  expect(seen[0]?.leftMs).toBeGreaterThan(0);
  expect(seen[0]?.leftMs).toBeLessThanOrEqual(4_490);
});

test("a call without a deadline has the timeout of its policy", async () => {
  let leftMs = NaN;
  await using world = await setupRpc({
    getOrder(request, context) {
      leftMs = context.timeoutMs() ?? NaN;
      return { order: { name: request.name } };
    },
  });

  await world.orders("Connect JSON").getOrder({ name: orderName }, asUser);

  expect(leftMs).toBeGreaterThan(4_000);
  expect(leftMs).toBeLessThanOrEqual(5_000);
});

test("a cancelled call ends the call below it", async () => {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const { world, orders } = await twoHops({
    batchGetProducts(_request, context) {
      begun.resolve();
      return new Promise((_, reject) => {
        context.signal.addEventListener("abort", () => {
          ended.resolve();
          reject(context.signal.reason as Error);
        });
      });
    },
  });
  await using _world = world;
  const caller = new AbortController();

  const call = failureOf(
    orders.getOrder({ name: orderName }, { ...asUser, signal: caller.signal }),
  );
  await begun.promise;
  caller.abort();

  expect((await call).code).toBe(Code.Canceled);
  await ended.promise;
});

test("a failure below is told as unavailable, without its text", async () => {
  const { world, orders } = await twoHops({
    batchGetProducts() {
      throw new DomainError({
        code: "resource_exhausted",
        reason: "OVERLOADED",
        message: "hunter2",
      });
    },
  });
  await using _world = world;

  const error = await failureOf(orders.getOrder({ name: orderName }, asUser));

  expect(error.code).toBe(Code.Unavailable);
  expect(reasonOf(error)).toBe("DEPENDENCY_UNAVAILABLE");
  expect(error.message).not.toContain("hunter2");
});

test("refuses a service that the policy does not name, and the edge where only services may call", async () => {
  await using world = await setupRpc({});
  const server = await world.serveInventory({});
  const reserveAs = (peer: string) =>
    failureOf(
      createClient(
        InventoryService,
        world.transport(peer, "inventory", server.grpcPort),
      ).reserve(reservation, {
        headers: { ...acme.headers, ...asUser.headers },
      }),
    );

  const errors = [await reserveAs("payment"), await reserveAs("edge")];

  for (const error of errors) {
    expect(error.code).toBe(Code.PermissionDenied);
    expect(reasonOf(error)).toBe("CALLER_NOT_ALLOWED");
  }
});

test.each([
  ["a read", Code.Unavailable, 4],
  ["a request with an id", Code.Unavailable, 4],
  ["a request without an id", Code.Unavailable, 1],
  ["a read that ran out of a quota", Code.ResourceExhausted, 1],
  ["a read with a fault", Code.Internal, 1],
])(
  "%s that fails with code %s is made in %s attempts",
  async (what, code, attempts) => {
    let made = 0;
    const fail = () => {
      made += 1;
      throw new DomainError({
        code: errorCodes[code] ?? "internal",
        reason: "OVERLOADED",
        message: "no",
      });
    };
    await using world = await setupRpc({ createOrder: fail, getOrder: fail });
    const orders = world.orders("gRPC");
    const order = {
      lines: [{ sku: "a", quantity: 1 }],
      paymentToken: "tok_visa",
    };

    const error = await failureOf(
      what.startsWith("a read")
        ? orders.getOrder({ name: orderName }, asUser)
        : orders.createOrder(
            what.endsWith("with an id") ? { order, requestId } : { order },
            asUser,
          ),
    );

    expect(error.code).toBe(code);
    expect(made).toBe(attempts);
  },
);

const errorCodes: Partial<Record<Code, "unavailable" | "resource_exhausted">> =
  {
    [Code.Unavailable]: "unavailable",
    [Code.ResourceExhausted]: "resource_exhausted",
  };

test("a breaker opens when half of the calls fail, and closes when one succeeds again", async () => {
  let healthy = false;
  let reached = 0;
  await using world = await setupRpc({
    getOrder(request) {
      reached += 1;
      if (!healthy) throw new Error("ill");
      return { order: { name: request.name } };
    },
  });
  const { lines, logger } = recordingLogger();
  const orders = createClient(
    OrderService,
    createMeshTransport({
      address: `127.0.0.1:${world.order.grpcPort}`,
      callee: "order",
      tls: world.tls.of("edge"),
      logger,
      breaker: { volumeThreshold: 5, resetAfterMs: 200 },
    }),
  );
  const call = () => orders.getOrder({ name: orderName }, asUser);
  for (let index = 0; index < 6; index += 1) await failureOf(call());
  const told = [...lines];

  let refused: ConnectError | undefined;
  // Once in a while it lets one call try, on a busy machine every one.
  await eventually("a call is not made", async () => {
    const before = reached;
    refused = await failureOf(call());
    return reached === before;
  });
  healthy = true;
  await eventually("the breaker closes", () =>
    call().then(
      () => true,
      () => false,
    ),
  );

  expect(told).toContain("breaker opened");
  expect(refused && reasonOf(refused)).toBe("BREAKER_OPEN");
  expect((await call()).order?.name).toBe(orderName);
});

test("says in the log that a callee is another than it should be, and that nobody is there", async () => {
  await using world = await setupRpc({});
  const { lines, logger } = recordingLogger();
  const transport = createMeshTransport({
    address: `127.0.0.1:${world.order.grpcPort}`,
    callee: "inventory",
    tls: world.tls.of("payment"),
    logger,
  });
  const inventory = createClient(InventoryService, transport);

  const error = await failureOf(
    inventory.batchGetProducts(products, { ...acme, timeoutMs: 500 }),
  );
  await eventually("the log has both", () =>
    ["refused a callee that is another", "the callee can't be reached"].every(
      (line) => lines.includes(line),
    ),
  );
  transport.close();

  expect(error.code).toBe(Code.DeadlineExceeded);
});

function recordingLogger(): { lines: string[]; logger: Logger } {
  const lines: string[] = [];
  const log = (_fields: object, message: string) => void lines.push(message);
  return { lines, logger: { ...silentLogger, warn: log, error: log } };
}

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the call should have failed");
}
