import {
  createFileRegistry,
  fromBinary,
  fromJson,
  getOption,
  toJson,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type JsonObject,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { randomUUID } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { http } from "../../gen/ts/google/api/annotations_pb.ts";
import {
  Access,
  method as policy,
} from "../../gen/ts/weft/policy/v1/policy_pb.ts";
import {
  clientKinds,
  openTransport,
  type ClientKind,
} from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { tokenFor } from "../support/edge-token.ts";
import { titleOf } from "../support/mesh-audit.ts";
import { meshUnderTest, type EdgeAddress } from "../support/mesh-under-test.ts";

/** The contracts of the last release, see the README there: their clients must go on working in every protocol. */
const [previous = "none"] = globSync("test/polyglot/previous/*.binpb");
const contracts = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(previous)),
);
const methods = Array.from(contracts).flatMap((desc) =>
  desc.kind === "service" ? desc.methods : [],
);
/** What users may call in every protocol. */
const forUsers = methods.filter(
  (method) =>
    getOption(method, policy).access === Access.USER &&
    pathOf(method) !== undefined,
);
const inventory = methodsOf("weft.inventory.v1.InventoryService");
const order = methodsOf("weft.order.v1.OrderService");

describe.each(clientKinds)(
  "a client of the last release over %s",
  { concurrent: true },
  (kind) => {
    it("sells, orders, watches, and reads what an error says", async () => {
      using client = connect(kind);
      const sku = `previous-${randomUUID()}`;
      const orderOf = (quantity: number) => ({
        order: { lines: [{ sku, quantity }], paymentToken: "tok_visa" },
        requestId: randomUUID(),
      });

      const sold = await client.call(inventory("CreateProduct"), {
        sku,
        openingStock: "10",
        product: {
          title: titleOf(10n),
          price: { currencyCode: "EUR", units: "12", nanos: 500_000_000 },
        },
        requestId: randomUUID(),
      });
      const placed = await client.call(order("CreateOrder"), orderOf(2));
      const name = nameOf(placed["order"]);
      const last = await client.call(order("WatchOrders"), { name });
      const read = await client.call(order("GetOrder"), { name });
      const refusal = await refusalOf(
        client.call(order("CreateOrder"), orderOf(-1)),
      );

      expect(sold).toMatchObject({ product: { name: `products/${sku}` } });
      expect(last).toMatchObject({
        order: { state: "STATE_COMPLETED" },
      });
      expect(read).toMatchObject({
        order: {
          name,
          state: "STATE_COMPLETED",
          total: { currencyCode: "EUR", units: "25" },
        },
      });
      expect(refusal).toMatchObject({
        code: "InvalidArgument",
        reason: "INVALID_FIELD",
        fields: ["order.lines[0].quantity"],
      });
    });

    it("finds every method for users where it was", async () => {
      const refusals = await Promise.all(
        forUsers.map(async (method) => {
          using client = connect(kind, await withoutScopesOf(method));
          const call = client.call(method, pathFieldsOf(method));
          return { name: method.name, ...(await refusalOf(call)) };
        }),
      );

      expect(forUsers).toContain(order("CreateOrder"));
      // A method that were gone would be unknown, whoever asks.
      expect(refusals).toMatchObject(
        forUsers.map(({ name }) => ({
          name,
          code: "PermissionDenied",
        })),
      );
    });
  },
);

function methodsOf(service: string) {
  return (name: string): DescMethod => {
    const method = methods.find(
      (each) => each.parent.typeName === service && each.name === name,
    );
    if (!method) throw new Error(`the last release has no ${service}/${name}`);
    return method;
  };
}

/** The edge as somebody sees it who may not call the method. */
async function withoutScopesOf(method: DescMethod): Promise<EdgeAddress> {
  const { edge, directory } = meshUnderTest();
  const { scopes } = getOption(method, policy);
  const scope = scopes.includes("orders:read") ? "sort:read" : "orders:read";
  return { ...edge, token: await tokenFor(directory, { user: "demo", scope }) };
}

/** The template of a method's REST path, such as `/v1/{name=orders/*}:cancel`. */
function pathOf(method: DescMethod): string | undefined {
  const { value } = getOption(method, http).pattern;
  return typeof value === "string" ? value : undefined;
}

/** What a path needs, such as a `name` like `orders/x`. */
function pathFieldsOf(method: DescMethod): JsonObject {
  const variables = pathOf(method)?.matchAll(/\{(\w+)=([^}]*)\}/g) ?? [];
  return Object.fromEntries(
    Array.from(variables, ([, field, path]) => [
      field,
      path?.replaceAll("*", "x"),
    ]),
  );
}

/** A client with nothing but the last release's descriptors. Messages are JSON here, as they say it. */
function connect(kind: ClientKind, edge: EdgeAddress = meshUnderTest().edge) {
  const transport = openTransport(edge, kind, { ignoreUnknownFields: true });
  return {
    /** The answer, or the last one of a stream. */
    call: async (method: DescMethod, request: JsonObject) => {
      const input = fromJson(method.input, request);
      const message = await answerOf(transport, method, input);
      // A message in JSON is an object.
      return toJson(method.output, message) as JsonObject;
    },
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

async function answerOf(
  transport: Transport,
  method: DescMethod,
  input: Message,
): Promise<Message> {
  const rest = [undefined, undefined, undefined] as const;
  if (isUnary(method)) {
    return (await transport.unary(method, ...rest, input)).message;
  }
  const inputs = createAsyncIterable([input]);
  // What is not unary streams.
  const stream = method as DescMethodStreaming;
  const { message } = await transport.stream(stream, ...rest, inputs);
  const last = (await Array.fromAsync(message)).at(-1);
  if (last === undefined) throw new Error("the stream had no message");
  return last;
}

function isUnary(method: DescMethod): method is DescMethod & DescMethodUnary {
  return method.methodKind === "unary";
}

function nameOf(resource: JsonValue | undefined): string {
  return z.object({ name: z.string() }).parse(resource).name;
}
