import { create } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  type Client,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { GetOrderRequestSchema } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { callerOf } from "../../../services/platform/rpc/caller.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { serve, service } from "../../../services/platform/rpc/server.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { createMeshTls } from "../../support/mesh-tls.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  streamContract,
  type StreamService,
} from "../../support/stream-contract.ts";
import { asUser, claimed } from "./rpc-world.ts";

const kinds = [
  "the mesh transport",
  "connect-node's gRPC",
  "Connect JSON",
  "Connect binary",
  "gRPC-Web",
] as const;
type Kind = (typeof kinds)[number];

const nameOf = (n: number) =>
  `orders/00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

describe.each(kinds)("over %s", (kind) => {
  test("takes a client's messages and answers once", async () => {
    await using world = await setup({
      async collect(requests, context) {
        const names: string[] = [];
        for await (const { name } of requests) names.push(name.slice(-1));
        const { subject } = callerOf(context);
        return { order: { customer: `${subject}: ${names.join("")}` } };
      },
    });

    const { order } = await world.client(kind).collect(names(4), asUser);

    expect(order?.customer).toBe("ada: 0123");
  });

  test("answers each message before the next is sent", async () => {
    await using world = await setup({
      async *converse(requests) {
        for await (const { name } of requests) yield { order: { name } };
      },
    });
    const told: string[] = [];
    let answered = Promise.withResolvers<void>();
    async function* asks() {
      for (let n = 0; n < 3; n += 1) {
        answered = Promise.withResolvers();
        yield { name: nameOf(n) };
        await answered.promise;
      }
    }

    for await (const { order } of world.client(kind).converse(asks(), asUser)) {
      told.push(order?.name ?? "");
      answered.resolve();
    }

    expect(told).toEqual([nameOf(0), nameOf(1), nameOf(2)]);
  });

  test("refuses the message that breaks a rule, not those before it", async () => {
    const seen: string[] = [];
    await using world = await setup({
      async *converse(requests) {
        for await (const { name } of requests) {
          seen.push(name);
          yield { order: { name } };
        }
      },
    });
    async function* asks() {
      yield { name: nameOf(0) };
      yield { name: "no order" };
      yield { name: nameOf(1) };
    }

    const error = await failureOf(
      drainOf(world.client(kind).converse(asks(), asUser)),
    );

    expect(error.code).toBe(Code.InvalidArgument);
    expect(
      error.findDetails(BadRequestSchema)[0]?.fieldViolations,
    ).toMatchObject([{ field: "name" }]);
    expect(seen).toEqual([nameOf(0)]);
  });

  test("asks for a scope before it reads anything", async () => {
    await using world = await setup({
      async collect() {
        throw new Error("not reached");
      },
    });

    const error = await failureOf(
      world.client(kind).collect(names(1), claimed("other")),
    );

    expect(error.code).toBe(Code.PermissionDenied);
    expect(reasonOf(error)).toBe("SCOPE_MISSING");
  });

  test("answers early, while the client still sends", async () => {
    let closed = false;
    await using world = await setup({
      async collect(requests) {
        for await (const { name } of requests) return { order: { name } };
        return {};
      },
    });
    async function* endless() {
      try {
        for (let n = 0; ; n += 1) {
          yield { name: nameOf(n) };
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      } finally {
        closed = true;
      }
    }

    const { order } = await world.client(kind).collect(endless(), asUser);

    expect(order?.name).toBe(nameOf(0));
    await eventually("the client stops to send", () => closed);
  });

  test("tells a refusal in mid-stream with its details", async () => {
    await using world = await setup({
      async *converse(requests) {
        for await (const { name } of requests) {
          yield { order: { name } };
          throw new DomainError({
            code: "resource_exhausted",
            reason: "OVERLOADED",
            message: "too much",
            retryAfterMs: 100,
          });
        }
      },
    });

    const told: string[] = [];
    const error = await failureOf(
      drainOf(world.client(kind).converse(never(nameOf(0)), asUser), told),
    );

    expect(told).toEqual([nameOf(0)]);
    expect(reasonOf(error)).toBe("OVERLOADED");
  });

  test("ends a call whose client falls silent, at its deadline", async () => {
    await using world = await setup({
      async collect(requests) {
        for await (const _ of requests);
        return {};
      },
    });

    const error = await failureOf(
      world
        .client(kind)
        .collect(never(nameOf(0)), { ...asUser, timeoutMs: 300 }),
    );

    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test("ends a handler that waits for a client who went away", async () => {
    let seen = 0;
    let isOver = false;
    await using world = await setup({
      async *converse(requests) {
        try {
          for await (const { name } of requests) {
            seen += 1;
            yield { order: { name } };
          }
        } finally {
          isOver = true;
        }
      },
    });
    const leave = new AbortController();
    const call = drainOf(
      world
        .client(kind)
        .converse(never(nameOf(0)), { ...asUser, signal: leave.signal }),
    );
    await eventually("the message arrives", () => seen === 1);

    leave.abort();

    expect((await failureOf(call)).code).toBe(Code.Canceled);
    await eventually("the handler ends", () => isOver);
    expect(world.faults).toEqual([]);
  });

  test("aborts a handler that works for a client who went away", async () => {
    const working = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    await using world = await setup({
      async collect(_, context) {
        context.signal.addEventListener("abort", () => aborted.resolve());
        working.resolve();
        await aborted.promise;
        return {};
      },
    });
    const leave = new AbortController();
    const call = world
      .client(kind)
      .collect(never(nameOf(0)), { ...asUser, signal: leave.signal });
    await working.promise;

    leave.abort();

    expect((await failureOf(call)).code).toBe(Code.Canceled);
    await aborted.promise;
    expect(world.faults).toEqual([]);
  });

  test("ends open streams when the server drains", async () => {
    await using world = await setup({
      async *converse(requests) {
        for await (const { name } of requests) yield { order: { name } };
      },
    });
    const told: string[] = [];
    const call = drainOf(
      world.client(kind).converse(never(nameOf(0)), asUser),
      told,
    );
    await eventually("the stream is open", () => told.length === 1);

    const drained = world.drain();

    expect(reasonOf(await failureOf(call))).toBe("DRAINING");
    await drained;
  });
});

// An unknown field makes the messages large, and JSON has none.
test.each(kinds.filter((kind) => kind !== "Connect JSON"))(
  "%s holds a client back that is faster than the handler",
  async (kind) => {
    let taken = 0;
    const go = Promise.withResolvers<void>();
    await using world = await setup({
      async collect(requests) {
        await go.promise;
        for await (const _ of requests);
        return {};
      },
    });
    async function* large() {
      // 200 messages of 100 kB: 20 MB, far more than all buffers on the way.
      for (; taken < 200; taken += 1) yield largeRequest(nameOf(taken));
    }

    const call = world.client(kind).collect(large(), asUser);
    await settled(() => taken);
    const heldAt = taken;
    go.resolve();
    await call;

    expect(heldAt).toBeLessThan(100);
    expect(taken).toBe(200);
  },
);

test("a bidirectional stream that came over HTTP/1.1 is refused with a reason", async () => {
  await using world = await setup({
    async *converse() {
      yield {};
      throw new Error("not reached");
    },
  });

  const error = await failureOf(
    drainOf(
      world.client("Connect JSON").converse(names(1), {
        headers: { ...asUser.headers, "x-weft-http-version": "HTTP/1.1" },
      }),
    ),
  );

  expect(error.code).toBe(Code.Unimplemented);
  expect(reasonOf(error)).toBe("HTTP2_REQUIRED");
});

test("a fault of the client's own messages ends the call with it", async () => {
  let isOver = false;
  const begun = Promise.withResolvers<void>();
  await using world = await setup({
    async collect(requests) {
      try {
        for await (const _ of requests) begun.resolve();
        return {};
      } finally {
        isOver = true;
      }
    },
  });
  async function* broken() {
    yield { name: nameOf(0) };
    await begun.promise;
    throw new Error("the disk is gone");
  }

  const error = await failureOf(
    world.client("the mesh transport").collect(broken(), asUser),
  );

  expect(error.message).toContain("the disk is gone");
  await eventually("the handler ends", () => isOver);
});

const padding = { no: 1000, wireType: 2, data: lengthDelimited(100_000) };

function largeRequest(name: string) {
  const request = create(GetOrderRequestSchema, { name });
  request.$unknown = [padding];
  return request;
}

function lengthDelimited(length: number): Uint8Array {
  const bytes = new Uint8Array(3 + length);
  bytes.set([
    (length & 0x7f) | 0x80,
    ((length >> 7) & 0x7f) | 0x80,
    length >> 14,
  ]);
  return bytes;
}

/** Waits until a number stands still for 300 ms. */
async function settled(read: () => number): Promise<void> {
  let last = -1;
  await eventually("the client is held back", async () => {
    const before = read();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const isStill = read() === before && before === last;
    last = before;
    return isStill;
  });
}

async function* names(count: number) {
  for (let n = 0; n < count; n += 1) yield { name: nameOf(n) };
}

/** One message, and then silence. */
async function* never(name: string) {
  yield { name };
  await new Promise(() => undefined);
}

async function drainOf(
  answers: AsyncIterable<{ order?: { name: string } | undefined }>,
  told: string[] = [],
): Promise<void> {
  for await (const { order } of answers) told.push(order?.name ?? "");
}

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) throw new Error("the call did not fail");
  return ConnectError.from(error);
}

function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

interface World extends AsyncDisposable {
  /** What the server's log calls a fault. */
  readonly faults: unknown[];
  client(kind: Kind): Client<StreamService>;
  drain(): Promise<void>;
}

async function setup(
  implementation: Partial<ServiceImpl<StreamService>>,
): Promise<World> {
  const contract = streamContract();
  const faults: unknown[] = [];
  const stack = new AsyncDisposableStack();
  const tls = stack.use(await createMeshTls(["inventory"]));
  const untold = async () => {
    throw new Error("not part of this test");
  };
  const server = await serve({
    host: "127.0.0.1",
    grpcPort: 0,
    connectPort: 0,
    tls: tls.of("inventory"),
    services: [
      service(contract, {
        collect: untold,
        converse: untold as never,
        ...implementation,
      }),
    ],
    logger: Object.assign(Object.create(silentLogger), {
      error: (fault: unknown) => faults.push(fault),
    }),
  });
  stack.defer(() => server.drain(AbortSignal.timeout(200)));
  const transport = (kind: Kind): Transport => {
    const base = (port: number) => ({
      httpVersion: "2" as const,
      baseUrl: `https://localhost:${port}`,
      nodeOptions: { ...tls.of("edge") },
    });
    switch (kind) {
      case "the mesh transport": {
        const made = createMeshTransport({
          address: `127.0.0.1:${server.grpcPort}`,
          callee: "inventory",
          tls: tls.of("edge"),
          logger: silentLogger,
        });
        stack.defer(() => made.close());
        return made;
      }
      case "connect-node's gRPC":
        return createGrpcTransport(base(server.grpcPort));
      case "gRPC-Web":
        return createGrpcWebTransport(base(server.connectPort));
      case "Connect JSON":
      case "Connect binary":
        return createConnectTransport({
          ...base(server.connectPort),
          useBinaryFormat: kind === "Connect binary",
        });
    }
  };
  return {
    faults,
    client: (kind) => createClient(contract, transport(kind)),
    drain: () => server.drain(AbortSignal.timeout(5_000)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
