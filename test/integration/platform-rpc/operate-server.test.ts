import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import {
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
  type DescService,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import {
  Client,
  credentials,
  status,
  type ClientReadableStream,
} from "@grpc/grpc-js";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionResponse,
} from "../../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { method as policy } from "../../../gen/ts/weft/policy/v1/policy_pb.ts";
import { serve, service } from "../../../services/platform/rpc/server.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { asUser, orderName, setupRpc, type RpcWorld } from "./rpc-world.ts";

const serving = 1;
const notServing = 2;

test("health follows what the service needs, for the process and each service", async () => {
  let ready = false;
  await using world = await setupRpc({}, { ready: async () => ready });
  using client = grpcClient(world);

  await eventually("it is not serving", async () =>
    (await healthOf(client)).every((status) => status === notServing),
  );
  ready = true;
  await eventually("it is serving", async () =>
    (await healthOf(client)).every((status) => status === serving),
  );
});

test("a dependency that does not answer is as good as one that says no", async () => {
  await using world = await setupRpc(
    {},
    {
      ready: (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener("abort", () =>
            reject(signal.reason as Error),
          ),
        ),
    },
  );
  using client = grpcClient(world);

  await eventually("it is not serving", async () =>
    (await healthOf(client)).every((status) => status === notServing),
  );
});

test("a container's probe ends well where the service beside it serves, and only there", async () => {
  let ready = true;
  await using world = await setupRpc({}, { ready: async () => ready });

  expect(await probe(world)).toEqual({ code: 0, said: "SERVING\n" });
  ready = false;
  await eventually("it is not serving", async () => {
    const { code, said } = await probe(world);
    return code === 1 && said === "NOT_SERVING\n";
  });
});

test("tells a health watcher that it drains, and does not wait for it to leave", async () => {
  await using world = await setupRpc({});
  using client = grpcClient(world);
  const watch = client.channel.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
    Buffer.alloc(0),
  );
  const seen = statusesOf(watch);
  await eventually("it is serving", () => seen.includes(serving));
  const hurry = AbortSignal.timeout(20_000);

  await world.order.drain(hurry);

  expect(hurry.aborted).toBe(false);
  await eventually("it is told", () => seen.length > 1);
  expect(seen).toEqual([serving, notServing]);
});

test.each([ServerReflection, ServerReflectionAlpha])(
  "lists its services by reflection, $typeName",
  async (version) => {
    await using world = await setupRpc({});
    using client = grpcClient(world);

    const [answer] = await reflect(
      client,
      [{ case: "listServices", value: "*" }],
      version,
    );

    expect(answer).toMatchObject({
      case: "listServicesResponse",
      value: { service: [{ name: "weft.order.v1.OrderService" }] },
    });
  },
);

test.each([
  ["its name", "fileByFilename", "weft/order/v1/order.proto"],
  ["a service", "fileContainingSymbol", "weft.order.v1.OrderService"],
  ["a method", "fileContainingSymbol", "weft.order.v1.OrderService.GetOrder"],
  ["a message", "fileContainingSymbol", "weft.order.v1.Order"],
  ["a field", "fileContainingSymbol", "weft.order.v1.Order.lines"],
  [
    "a value of an enum",
    "fileContainingSymbol",
    "weft.order.v1.Order.STATE_RESERVED",
  ],
] as const)(
  "reflection gives the file of %s, with all it needs",
  async (_, asked, value) => {
    await using world = await setupRpc({});
    using client = grpcClient(world);

    const [answer] = await reflect(client, [{ case: asked, value }]);

    const files = createFileRegistry(
      create(FileDescriptorSetSchema, {
        file: filesOf(answer)
          .reverse()
          .map((file) => fromBinary(FileDescriptorProtoSchema, file)),
      }),
    );
    expect(files.get("weft.order.v1.Order")).toBeDefined();
  },
);

test("reflection knows extensions by their numbers, and says what it does not know", async () => {
  await using world = await setupRpc({});
  using client = grpcClient(world);
  const containingType = "google.protobuf.MethodOptions";

  const [numbers, known, unknown, ofNothing, nothing] = await reflect(client, [
    { case: "allExtensionNumbersOfType", value: containingType },
    {
      case: "fileContainingExtension",
      value: { containingType, extensionNumber: policy.number },
    },
    { case: "fileContainingSymbol", value: "weft.order.v1.Nothing" },
    { case: "allExtensionNumbersOfType", value: "weft.order.v1.Nothing" },
    { case: undefined },
  ]);

  expect(numbers).toMatchObject({
    value: { extensionNumber: expect.arrayContaining([policy.number]) },
  });
  expect(
    filesOf(known).map((f) => fromBinary(FileDescriptorProtoSchema, f).name),
  ).toContain("weft/policy/v1/policy.proto");
  const errorOf = (errorCode: number) => ({
    case: "errorResponse",
    value: { errorCode },
  });
  expect(unknown).toMatchObject(errorOf(status.NOT_FOUND));
  expect(ofNothing).toMatchObject(errorOf(status.NOT_FOUND));
  expect(nothing).toMatchObject(errorOf(status.INVALID_ARGUMENT));
});

test("no idempotent call fails while a second server takes over on the same port", async () => {
  await using world = await setupRpc({ getOrder });
  const orders = world.orders("gRPC");
  const { grpcPort } = world.order;
  const stop = new AbortController();
  let answered = 0;
  const failures: ConnectError[] = [];
  const callers = Array.from({ length: 16 }, async () => {
    while (!stop.signal.aborted) {
      await orders.getOrder({ name: orderName }, asUser).then(
        () => (answered += 1),
        (error: unknown) => failures.push(ConnectError.from(error)),
      );
    }
  });
  await eventually("calls are under way", () => answered > 50);

  await world.order.drain(AbortSignal.timeout(5_000));
  const second = await serve({
    host: "127.0.0.1",
    grpcPort,
    connectPort: 0,
    tls: world.tls.of("order"),
    logger: silentLogger,
    services: [
      service(OrderService, {
        ...unused,
        getOrder,
      }),
    ],
  });
  const before = answered;
  await eventually("the second answers", () => answered > before + 50);
  stop.abort();
  await Promise.all(callers);
  await second.drain(AbortSignal.timeout(1_000));

  expect(failures.map(String)).toEqual([]);
});

/** A client that has read one of the messages that a handler makes as fast as it can, and a handler that waits for it. */
async function readSlowly() {
  let made = 0;
  const world = await setupRpc({
    async *watchOrders(_request, context) {
      const customer = "x".repeat(100_000);
      while (!context.signal.aborted) {
        made += 1;
        yield { event: { case: "order" as const, value: { customer } } };
        await new Promise(setImmediate);
      }
    },
  });
  const leave = new AbortController();
  const stream = world
    .orders("gRPC")
    .watchOrders({}, { ...asUser, signal: leave.signal })
    [Symbol.asyncIterator]();

  await stream.next();
  let last = -1;
  await eventually("the handler waits", async () => {
    const still = made === last;
    last = made;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return still;
  });
  return { world, stream, leave, made: () => made };
}

test("a stream waits for a client that reads slowly", async () => {
  const { world, stream, leave, made } = await readSlowly();
  await using _ = world;

  leave.abort();
  const failure = await drainOf(stream);

  expect(made()).toBeLessThan(200);
  expect(failure.code).toBe(Code.Canceled);
});

test("a client that reads slowly is told why its stream ends when the server drains", async () => {
  const { world, stream } = await readSlowly();
  await using _ = world;

  const drained = world.order.drain(AbortSignal.timeout(5_000));
  const failure = await drainOf(stream);
  await drained;

  expect(failure.code).toBe(Code.Unavailable);
  expect(failure.findDetails(ErrorInfoSchema)).toMatchObject([
    { reason: "DRAINING" },
  ]);
});

async function drainOf(stream: AsyncIterator<unknown>): Promise<ConnectError> {
  try {
    while (!(await stream.next()).done);
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the stream should have failed");
}

function getOrder(request: { name: string }) {
  return { order: { name: request.name } };
}

const notCalled = () => {
  throw new Error("not part of this test");
};
const unused = {
  createOrder: notCalled,
  listOrders: notCalled,
  cancelOrder: notCalled,
  watchOrders: notCalled,
};

function grpcClient(world: RpcWorld): { channel: Client } & Disposable {
  const { ca, cert, key } = world.tls.of("edge");
  const channel = new Client(
    `127.0.0.1:${world.order.grpcPort}`,
    credentials.createSsl(ca, key, cert),
    { "grpc.ssl_target_name_override": "localhost" },
  );
  return { channel, [Symbol.dispose]: () => channel.close() };
}

/** Runs what a container's health check runs, as the service. */
async function probe(
  world: RpcWorld,
): Promise<{ code: number | null; said: string }> {
  const files = world.tls.filesOf("order");
  const child = spawn(
    process.execPath,
    ["services/platform/rpc/check-health.ts"],
    {
      env: {
        PATH: process.env["PATH"],
        WEFT_GRPC_PORT: String(world.order.grpcPort),
        WEFT_TLS_CA: world.tls.certificates.ca,
        WEFT_TLS_CERT: files.cert,
        WEFT_TLS_KEY: files.key,
      },
    },
  );
  const ended = once(child, "close");
  const said = await text(child.stdout);
  await ended;
  return { code: child.exitCode, said };
}

/** The health of the process and of the Order service. HealthCheckResponse.status is field 1. */
async function healthOf(client: { channel: Client }): Promise<number[]> {
  const name = Buffer.from(OrderService.typeName);
  const ofService = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  return Promise.all(
    [Buffer.alloc(0), ofService].map(
      (request) =>
        new Promise<number>((resolve, reject) =>
          client.channel.makeUnaryRequest(
            "/grpc.health.v1.Health/Check",
            (bytes: Buffer) => bytes,
            (bytes: Buffer) => bytes,
            request,
            (error, response) =>
              response ? resolve(response.at(1) ?? 0) : reject(error),
          ),
        ),
    ),
  );
}

function statusesOf(watch: ClientReadableStream<Buffer>): number[] {
  const seen: number[] = [];
  watch.on("data", (response: Buffer) => seen.push(response.at(1) ?? 0));
  watch.on("error", () => undefined);
  return seen;
}

type Question = Exclude<
  MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"],
  undefined
>;
type Answer = ServerReflectionResponse["messageResponse"];

/** Asks one after the other on one stream, as grpcurl does. */
async function reflect(
  { channel }: { channel: Client },
  questions: readonly Question[],
  version: DescService = ServerReflection,
): Promise<Answer[]> {
  const call = channel.makeBidiStreamRequest(
    `/${version.typeName}/ServerReflectionInfo`,
    (request: Uint8Array) => Buffer.from(request),
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
  );
  for (const messageRequest of questions) {
    const request = create(ServerReflectionRequestSchema, { messageRequest });
    call.write(toBinary(ServerReflectionRequestSchema, request));
  }
  call.end();
  const answers: Answer[] = [];
  for await (const answer of call as AsyncIterable<ServerReflectionResponse>) {
    answers.push(answer.messageResponse);
  }
  return answers;
}

function filesOf(answer: Answer | undefined): Uint8Array[] {
  if (answer?.case !== "fileDescriptorResponse")
    throw new Error(`no files: ${JSON.stringify(answer)}`);
  return answer.value.fileDescriptorProto;
}
