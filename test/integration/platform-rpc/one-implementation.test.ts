import { Code, ConnectError } from "@connectrpc/connect";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { callerOf } from "../../../services/platform/rpc/caller.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { eventually } from "../../support/eventually.ts";
import {
  asUser,
  claimed,
  orderName,
  protocols,
  setupRpc,
  type RpcWorld,
} from "./rpc-world.ts";

describe.each(protocols)("over %s", (protocol) => {
  test("answers, and knows who asks", async () => {
    await using world = await setupRpc({
      getOrder: (request, context) => {
        const { peer, tenant, subject } = callerOf(context);
        const customer = `${subject} of ${tenant} by ${peer}`;
        return { order: { name: request.name, customer } };
      },
    });

    const { order } = await get(world);

    expect(order?.customer).toBe("ada of acme by edge");
  });

  test("tells a refusal with its details", async () => {
    await using world = await setupRpc({
      getOrder: () => {
        throw new DomainError({
          code: "failed_precondition",
          reason: "ORDER_NOT_CANCELLABLE",
          message: "the order is completed",
          metadata: { order: orderName },
          retryAfterMs: 1_500,
        });
      },
    });

    const error = await failureOf(get(world));

    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe("the order is completed");
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      reason: "ORDER_NOT_CANCELLABLE",
      domain: "weft.dev",
      metadata: { order: orderName },
    });
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({
      seconds: 1n,
      nanos: 500_000_000,
    });
    expect(
      error.findDetails(PreconditionFailureSchema)[0]?.violations[0]?.type,
    ).toBe("ORDER_NOT_CANCELLABLE");
  });

  test("tells nothing of a fault of ours", async () => {
    await using world = await setupRpc({
      getOrder: () => {
        throw new Error("the password is hunter2");
      },
    });

    const error = await failureOf(get(world));

    expect(error.code).toBe(Code.Internal);
    expect(JSON.stringify([error.message, error.details])).not.toContain(
      "hunter2",
    );
  });

  test("names each field that breaks its rule, before the handler runs", async () => {
    await using world = await setupRpc({});
    const order = {
      lines: [
        { sku: "a", quantity: 1 },
        { sku: "B!", quantity: 0 },
      ],
      paymentToken: "tok_visa",
    };

    const error = await failureOf(
      world.orders(protocol).createOrder({ order }, asUser),
    );

    expect(error.code).toBe(Code.InvalidArgument);
    const violations =
      error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(violations.map(({ field }) => field)).toEqual([
      "order.lines[1].sku",
      "order.lines[1].quantity",
    ]);
  });

  test("asks for a token, and for each scope of the method", async () => {
    await using world = await setupRpc({});
    const orders = world.orders(protocol);

    const without = await failureOf(orders.getOrder({ name: orderName }));
    const narrow = await failureOf(
      orders.getOrder({ name: orderName }, claimed("orders:write")),
    );

    expect(without.code).toBe(Code.Unauthenticated);
    expect(narrow.code).toBe(Code.PermissionDenied);
    expect(narrow.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      reason: "SCOPE_MISSING",
      metadata: { scope: "orders:read" },
    });
  });

  test("ends the handler at the client's deadline", async () => {
    const ended = Promise.withResolvers<void>();
    let leftMs: number | undefined;
    await using world = await setupRpc({
      getOrder: (_request, context) => {
        leftMs ??= context.timeoutMs();
        return untilAborted(context.signal, ended.resolve);
      },
    });
    const orders = world.orders(protocol);

    // Where no handler begins in that time, the machine was too busy to connect.
    await eventually("a call has reached its handler", async () => {
      const error = await failureOf(
        orders.getOrder({ name: orderName }, { ...asUser, timeoutMs: 150 }),
      );
      expect(error.code).toBe(Code.DeadlineExceeded);
      return leftMs !== undefined;
    });

    await ended.promise;
    // The policy itself gives five seconds.
    expect(leftMs).toBeLessThanOrEqual(150);
  });

  test("ends the handler of a cancelled call", async () => {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await using world = await setupRpc({
      getOrder: (_request, context) => {
        begun.resolve();
        return untilAborted(context.signal, ended.resolve);
      },
    });
    const caller = new AbortController();

    const call = failureOf(
      world
        .orders(protocol)
        .getOrder({ name: orderName }, { ...asUser, signal: caller.signal }),
    );
    await begun.promise;
    caller.abort();

    expect((await call).code).toBe(Code.Canceled);
    await ended.promise;
  });

  test("streams, and ends the handler when the client leaves", async () => {
    const ended = Promise.withResolvers<void>();
    await using world = await setupRpc({
      async *watchOrders(_request, context) {
        try {
          for (let index = 0; !context.signal.aborted; index += 1) {
            const value = { name: `orders/${index}` };
            await setImmediate();
            yield { event: { case: "order" as const, value } };
          }
        } finally {
          ended.resolve();
        }
      },
    });

    // A client of Connect leaves by its signal: it makes nothing of a loop that is left.
    const client = new AbortController();
    const seen: string[] = [];
    for await (const { event } of world
      .orders(protocol)
      .watchOrders({}, { ...asUser, signal: client.signal })) {
      if (event.case === "order") seen.push(event.value.name);
      if (seen.length === 3) break;
    }
    client.abort();

    expect(seen).toEqual(["orders/0", "orders/1", "orders/2"]);
    await ended.promise;
  });

  test("tells a failure in the middle of a stream, after what came before it", async () => {
    await using world = await setupRpc({
      async *watchOrders() {
        yield { event: { case: "order" as const, value: { name: "first" } } };
        throw new DomainError({
          code: "resource_exhausted",
          reason: "OVERLOADED",
          message: "too slow",
        });
      },
    });

    const seen: string[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { event } of world
          .orders(protocol)
          .watchOrders({}, asUser)) {
          if (event.case === "order") seen.push(event.value.name);
        }
      })(),
    );

    expect(seen).toEqual(["first"]);
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("OVERLOADED");
  });

  test("tells an open stream that its server stops, and finishes the calls under way", async () => {
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    await using world = await setupRpc({
      async getOrder(request) {
        begun.resolve();
        await finish.promise;
        return { order: { name: request.name } };
      },
      async *watchOrders(_request, context) {
        yield { event: { case: "order" as const, value: { name: "first" } } };
        await untilAborted(context.signal, () => {}).catch(() => {});
      },
    });
    const orders = world.orders(protocol);
    const stream = orders.watchOrders({}, asUser)[Symbol.asyncIterator]();
    await stream.next();
    const call = orders.getOrder({ name: orderName }, asUser);
    await begun.promise;

    const drained = world.order.drain(AbortSignal.timeout(5_000));
    const told = await failureOf(stream.next());
    finish.resolve();

    expect(told.code).toBe(Code.Unavailable);
    expect((await call).order?.name).toBe(orderName);
    await drained;
  });

  function get(world: RpcWorld) {
    return world.orders(protocol).getOrder({ name: orderName }, asUser);
  }
});

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the call should have failed");
}

function untilAborted(signal: AbortSignal, tell: () => void): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      tell();
      reject(signal.reason as Error);
    });
  });
}
