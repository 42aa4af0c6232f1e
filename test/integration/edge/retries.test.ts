import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { constants, type ServerHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import { OrderSchema } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { CreateOrderRequestSchema } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { send, type EdgeRequest } from "../../support/edge-http.ts";
import { startEdgeWorld } from "./edge-world.ts";
import { envoyStat } from "./envoy-admin.ts";
import { startFailingServer } from "./failing-server.ts";

const CREATE_ORDER = "/weft.order.v1.OrderService/CreateOrder";
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR } = constants;

/** `tokenLength` makes it as large as is wanted. */
const order = (tokenLength = 5) =>
  create(CreateOrderRequestSchema, {
    order: {
      lines: [{ sku: "tea", quantity: 1 }],
      paymentToken: "x".repeat(tokenLength),
    },
  });
const json = (tokenLength?: number) => {
  const { order: body } = order(tokenLength);
  return body ? toJsonString(OrderSchema, body) : "";
};
const framed = (tokenLength?: number) => {
  const message = toBinary(CreateOrderRequestSchema, order(tokenLength));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

/** A call with side effects in each protocol, and how its answer says that it was done. */
const forms: readonly {
  readonly kind: string;
  readonly cluster: string;
  readonly request: EdgeRequest;
  readonly done: object;
}[] = [
  {
    kind: "REST",
    cluster: "order-grpc",
    request: {
      method: "POST",
      path: "/v1/orders",
      headers: { "content-type": "application/json" },
      body: json(),
    },
    done: { status: 200 },
  },
  {
    kind: "gRPC",
    cluster: "order-grpc",
    request: {
      method: "POST",
      path: CREATE_ORDER,
      headers: { "content-type": "application/grpc", te: "trailers" },
      body: framed(),
    },
    // An error would be an answer of headers only, with a status in them.
    done: {
      status: 200,
      headers: expect.not.objectContaining({
        "grpc-status": expect.anything(),
      }),
    },
  },
  {
    kind: "Connect",
    cluster: "order-connect",
    request: {
      method: "POST",
      path: CREATE_ORDER,
      headers: { "content-type": "application/json" },
      body: toJsonString(CreateOrderRequestSchema, order()),
    },
    done: { status: 200 },
  },
];

/** How a service may end a call that it has taken. */
const failures: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> =
  {
    "resets it": (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
    dies: (stream) => stream.session?.destroy(),
  };

describe.each(forms)("a call with side effects by $kind", (form) => {
  it.each(Object.entries(failures))(
    "is sent once to a service that takes it and %s",
    async (_, fail) => {
      await using world = await startEdgeWorld();
      await world.stopUpstream();
      await using service = await startFailingServer(world, fail);

      const answer = await send(world, form.request);

      expect(answer).not.toMatchObject(form.done);
      expect(service.calls()).toBe(1);
    },
  );

  it("is sent again to a service that refused it unread, and not once it was taken", async () => {
    await using world = await startEdgeWorld();
    await world.stopUpstream();
    await using service = await startFailingServer(world, (stream, call) =>
      stream.close(call < 3 ? NGHTTP2_REFUSED_STREAM : NGHTTP2_INTERNAL_ERROR),
    );

    const answer = await send(world, form.request);

    expect(answer).not.toMatchObject(form.done);
    expect(service.calls()).toBe(3);
  });

  it("succeeds each time where one of two instances is dead", async () => {
    await using world = await startEdgeWorld({ deadOrderInstance: true });

    for (let call = 1; call <= 8; call += 1)
      expect(await send(world, form.request)).toMatchObject(form.done);

    expect(world.upstream().calls).toHaveLength(8);
  });

  it("waits for a service that restarts, and is then sent once", async () => {
    await using world = await startEdgeWorld();
    await world.stopUpstream();

    const answered = send(world, form.request);
    await expect
      .poll(
        () =>
          envoyStat(world, `cluster.${form.cluster}.upstream_cx_connect_fail`),
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0);
    await world.startUpstream();

    expect(await answered).toMatchObject(form.done);
    expect(world.upstream().calls).toHaveLength(1);
  });
});

it("says that there is no service where a gRPC call is too large to be kept meanwhile", async () => {
  await using world = await startEdgeWorld();
  await world.stopUpstream();

  const answer = await send(world, {
    method: "POST",
    path: CREATE_ORDER,
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: framed(100_000),
  });

  expect(answer.headers).toMatchObject({
    "grpc-status": "14",
    "grpc-message": "the service is not available",
  });
});

it("sends each call with side effects once while a service restarts under load", async () => {
  await using world = await startEdgeWorld();
  const ended = new AbortController();
  const statuses: number[] = [];
  const [rest] = forms;
  if (rest === undefined) throw new Error("there is no form");
  const load = async () => {
    while (!ended.signal.aborted)
      statuses.push((await send(world, rest.request)).status);
  };
  const more = async (count: number) => {
    const before = statuses.length;
    await expect
      .poll(() => statuses.length, { timeout: 10_000 })
      .toBeGreaterThan(before + count);
  };

  const running = Promise.all(Array.from({ length: 20 }, load));
  await more(40);
  const first = world.upstream();
  // Whatever a busy machine needs to answer what it has taken.
  await world.stopUpstream(20_000);
  await world.startUpstream();
  await more(60);
  ended.abort();
  await running;

  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(first.calls.length + world.upstream().calls.length).toBe(
    statuses.length,
  );
}, 40_000);
