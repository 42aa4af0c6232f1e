import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { context, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RequestInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { requestId } from "../../../services/platform/runtime/request-id.ts";
import {
  asUser,
  orderName,
  protocols,
  setupRpc,
  type Protocol,
} from "./rpc-world.ts";

// As every process of a service has one.
beforeAll(() => {
  const manager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(manager);
});
afterAll(() => context.disable());

const ID = "11111111-2222-4333-8444-555555555555";

test.each(protocols)(
  "a request's id is known while it is served, in the services that it asks too: %s",
  async (protocol: Protocol) => {
    const seen: (string | undefined)[] = [];
    const below =
      Promise.withResolvers<
        ReturnType<typeof createClient<typeof InventoryService>>
      >();
    await using world = await setupRpc({
      async getOrder({ name }) {
        seen.push(requestId());
        await (await below.promise).batchGetProducts({ names: ["products/a"] });
        return { order: { name } };
      },
    });
    const inventory = await world.serveInventory({
      batchGetProducts() {
        seen.push(requestId());
        return {};
      },
    });
    const transport = world.transport("order", "inventory", inventory.grpcPort);
    below.resolve(createClient(InventoryService, transport));
    const orders = world.orders(protocol);

    await orders.getOrder({ name: orderName }, asking(ID));
    await orders.getOrder({ name: orderName }, asking("no id at all"));
    await orders.getOrder({ name: orderName }, asUser);

    expect(seen).toEqual([ID, ID, undefined, undefined, undefined, undefined]);
  },
);

test.each(protocols)(
  "who meets a fault of ours can quote the request's id: %s",
  async (protocol: Protocol) => {
    await using world = await setupRpc({
      getOrder() {
        throw new Error("a bug");
      },
    });
    const orders = world.orders(protocol);

    const error = await caught(
      orders.getOrder({ name: orderName }, asking(ID)),
    );
    const without = await caught(orders.getOrder({ name: orderName }, asUser));

    expect(error.findDetails(RequestInfoSchema)).toMatchObject([
      { requestId: ID },
    ]);
    expect(without.findDetails(RequestInfoSchema)).toEqual([]);
  },
);

test("the span of a call that a fault of ours ended has the request's id", async () => {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors }));
  await using world = await setupRpc({
    getOrder() {
      throw new Error("a bug");
    },
  });

  await caught(world.orders("gRPC").getOrder({ name: orderName }, asking(ID)));
  await caught(world.orders("gRPC").getOrder({ name: "" }, asking(ID)));
  trace.disable();

  const served = exporter
    .getFinishedSpans()
    .filter(({ kind }) => kind === SpanKind.SERVER)
    .map(({ attributes }) => attributes);
  expect(served).toMatchObject([
    { "rpc.grpc.status_code": Code.Internal, "weft.request_id": ID },
    { "rpc.grpc.status_code": Code.InvalidArgument },
  ]);
  expect(served[1]).not.toHaveProperty("weft.request_id");
});

function asking(id: string) {
  return { headers: { ...asUser.headers, "x-request-id": id } };
}

async function caught(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the call succeeded");
  return error;
}
