import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import {
  connectToEdge,
  everyClientKind,
  type ClientKind,
  type EdgeClient,
} from "../../support/edge-clients.ts";
import { refusalOf } from "../../support/edge-errors.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import {
  LOST_ORDER,
  MANY,
  nextAbort,
  NO_ORDER,
  NONE,
  ORDER,
  SLOW,
} from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

interface Case {
  readonly what: string;
  readonly ask: (client: EdgeClient) => Promise<unknown>;
  /** The same over every protocol. */
  readonly answer: unknown;
  /** Kinds of clients for which there is no such thing. */
  readonly notOver?: readonly ClientKind[];
}

const REST = ["REST by fetch", "REST over HTTP/2"] as const;
const MIB = 1024 * 1024;

const notFound = {
  code: "NotFound",
  reason: "ORDER_NOT_FOUND",
  domain: "weft.dev",
  fields: [],
};

/** One answer to each of these, whichever protocol, encoding, verb and HTTP version carries it. */
const cases: readonly Case[] = [
  {
    what: "a unary call",
    ask: ({ orders }) => orders.getOrder({ name: ORDER }),
    answer: { order: { name: ORDER, state: State.PLACED } },
  },
  {
    what: "a stream of answers",
    ask: ({ orders }) => eventsOf(orders.watchOrders({ name: ORDER })),
    answer: ["order", "heartbeat"],
  },
  {
    what: "an empty request",
    ask: ({ orders }) => orders.listOrders({}),
    answer: { orders: [{ name: ORDER, customer: "" }] },
  },
  {
    what: "an empty answer",
    ask: ({ orders }) => orders.listOrders({ customer: NONE }),
    answer: { orders: [], nextPageToken: "" },
  },
  {
    what: "an answer of megabytes",
    ask: async ({ orders }) => {
      const answer = await orders.listOrders({ customer: MANY });
      return { count: answer.orders.length, last: answer.orders.at(-1) };
    },
    answer: { count: 20_000, last: { name: ORDER, customer: MANY } },
  },
  {
    what: "a request of almost 4 MiB, which the service takes and reads",
    ask: ({ orders }) => refusalOf(orders.createOrder(sized(4 * MIB - 1_024))),
    answer: { code: "InvalidArgument", fields: ["order.payment_token"] },
  },
  {
    what: "a request of more than 4 MiB",
    ask: ({ orders }) => refusalOf(orders.createOrder(sized(4 * MIB + 1))),
    answer: { code: "ResourceExhausted" },
  },
  {
    what: "the header that a service adds to its answer",
    ask: async ({ orders }) => {
      let seen: string | null = null;
      await orders.listOrders(
        {},
        {
          headers: { "x-asked": "how much?" },
          onHeader: (headers) => (seen = headers.get("x-seen")),
        },
      );
      return seen;
    },
    answer: "how much?",
  },
  {
    what: "the trailer that a service adds to its answer",
    ask: async ({ orders }) => {
      let counted: string | null = null;
      await orders.listOrders(
        {},
        {
          headers: { "x-asked": "how much?" },
          onTrailer: (trailers) => (counted = trailers.get("x-counted")),
        },
      );
      return counted;
    },
    answer: "9",
    // JSON over HTTP has none.
    notOver: REST,
  },
  {
    what: "a service's error",
    ask: ({ orders }) => refusalOf(orders.getOrder({ name: NO_ORDER })),
    answer: { ...notFound, metadata: { order: NO_ORDER } },
  },
  {
    what: "an error before a stream's first answer",
    ask: ({ orders }) =>
      refusalOf(eventsOf(orders.watchOrders({ name: NO_ORDER }))),
    answer: { ...notFound, metadata: { order: NO_ORDER } },
  },
  {
    what: "an error after it",
    ask: ({ orders }) =>
      refusalOf(eventsOf(orders.watchOrders({ name: LOST_ORDER }))),
    answer: { ...notFound, metadata: { order: LOST_ORDER } },
    // HTTP's status has gone: the error is a last line of its own (integration/edge/rest.test.ts).
    notOver: REST,
  },
  {
    what: "a field that breaks its rule",
    ask: ({ orders }) => refusalOf(orders.listOrders({ pageSize: -1 })),
    answer: { code: "InvalidArgument", fields: ["page_size"] },
  },
  {
    what: "the edge's own error, of a service that is down",
    ask: ({ inventory }) => refusalOf(inventory.createProduct({})),
    answer: {
      code: "Unavailable",
      reason: "SERVICE_UNAVAILABLE",
      domain: "weft.dev",
    },
  },
  {
    what: "the edge's own error, of a method that only services call",
    ask: ({ inventory }) => refusalOf(inventory.reserve({})),
    answer: {
      code: "Unimplemented",
      reason: "UNKNOWN_METHOD",
      domain: "weft.dev",
    },
    // It has no path.
    notOver: REST,
  },
  {
    what: "a deadline, at which the handler ends",
    ask: async ({ orders }) => {
      const ended = nextAbort(world.upstream());
      const call = orders.listOrders({ customer: SLOW }, { timeoutMs: 500 });
      const { code } = await refusalOf(call);
      return { code, ended: await ended };
    },
    answer: { code: "DeadlineExceeded", ended: "ListOrders" },
  },
  {
    what: "a call that its client cancels, and its handler",
    ask: async ({ orders }) => {
      const ended = nextAbort(world.upstream());
      const { signal, cancel } = canceller();
      const before = world.upstream().calls.length;
      const refusal = refusalOf(
        orders.listOrders({ customer: SLOW }, { signal }),
      );
      await expect
        .poll(() => world.upstream().calls.length, { timeout: 10_000 })
        .toBe(before + 1);
      cancel();
      return { code: (await refusal).code, ended: await ended };
    },
    answer: { code: "Canceled", ended: "ListOrders" },
  },
  {
    what: "a stream that its client cancels, and its handler",
    ask: async ({ orders }) => {
      const ended = nextAbort(world.upstream());
      const { signal, cancel } = canceller();
      const watch = async () => {
        for await (const _ of orders.watchOrders({}, { signal })) cancel();
      };
      return { code: (await refusalOf(watch())).code, ended: await ended };
    },
    answer: { code: "Canceled", ended: "WatchOrders" },
  },
];

const lines = Array.from({ length: 100 }, (_, at) => ({
  sku: `tea-${at}`,
  quantity: at + 1,
}));

/** What goes over the wire is another test's: compress-answers.test.ts. */
const compressedCases: readonly Case[] = [
  {
    what: "a request that is compressed",
    ask: ({ orders }) =>
      orders.createOrder({ order: { lines, paymentToken: "tok_1" } }),
    answer: { order: { name: ORDER, lines } },
  },
  {
    what: "an answer that is compressed",
    ask: async ({ orders }) => {
      const answer = await orders.listOrders({ customer: MANY });
      return { count: answer.orders.length, last: answer.orders.at(-1) };
    },
    answer: { count: 20_000, last: { name: ORDER, customer: MANY } },
  },
  {
    what: "a stream of answers that are compressed",
    ask: ({ orders }) => eventsOf(orders.watchOrders({ name: ORDER })),
    answer: ["order", "heartbeat"],
  },
  {
    what: "a refusal of a compressed request",
    ask: ({ orders }) => refusalOf(orders.getOrder({ name: NO_ORDER })),
    answer: { ...notFound, metadata: { order: NO_ORDER } },
  },
];

describe.each(everyClientKind)("over %s", (kind) => {
  const over = (all: readonly Case[]) =>
    all.filter(({ notOver = [] }) => !notOver.includes(kind));

  it.each(over(cases))("$what is the same", async ({ ask, answer }) => {
    using client = connectToEdge(world, kind);

    expect(await ask(client)).toMatchObject(answer as object);
  });

  it.each(over(compressedCases))(
    "$what is the same",
    async ({ ask, answer }) => {
      using client = connectToEdge(world, kind, { compress: true });

      expect(await ask(client)).toMatchObject(answer as object);
    },
  );
});

it.each(everyClientKind.filter((kind) => kind.endsWith("GET")))(
  "%s is by GET",
  async (kind) => {
    using client = connectToEdge(world, kind);
    let verb: string | null = null;

    await client.orders.listOrders(
      {},
      { onHeader: (headers) => (verb = headers.get("x-verb")) },
    );

    expect(verb).toBe("GET");
  },
);

/** A request whose token alone has so many bytes. */
function sized(bytes: number) {
  return {
    order: {
      lines: [{ sku: "tea", quantity: 1 }],
      paymentToken: "x".repeat(bytes),
    },
  };
}

async function eventsOf(
  stream: AsyncIterable<{ event: { case?: string | undefined } }>,
): Promise<unknown> {
  const events = await Array.fromAsync(stream, ({ event }) => event.case);
  return events;
}

function canceller() {
  const controller = new AbortController();
  return { signal: controller.signal, cancel: () => controller.abort() };
}
