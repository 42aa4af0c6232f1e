import {
  getOption,
  type DescMethod,
  type JsonObject,
} from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { http } from "../../gen/ts/google/api/annotations_pb.ts";
import {
  Access,
  method as policy,
} from "../../gen/ts/weft/policy/v1/policy_pb.ts";
import { clientKinds, openTransport } from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { tokenFor } from "../support/edge-token.ts";
import { meshUnderTest, type EdgeAddress } from "../support/mesh-under-test.ts";
import { previousClient, readPreviousRelease } from "./previous-release.ts";

const { forOutside, methodsOf } = readPreviousRelease();
/** What users may call in every protocol. */
const forUsers = forOutside.filter(
  (method) =>
    getOption(method, policy).access === Access.USER &&
    pathOf(method) !== undefined,
);

it.concurrent.each(clientKinds)(
  "a client of the last release over %s finds every method where it was",
  async (kind) => {
    const refusals = await Promise.all(
      forUsers.map(async (method) => {
        const edge = await withoutScopesOf(method);
        using client = previousClient(openTransport(edge, kind));
        const call = client.call(method, pathFieldsOf(method));
        return { name: method.name, ...(await refusalOf(call)) };
      }),
    );

    const orders = methodsOf("weft.order.v1.OrderService");
    expect(forUsers).toContain(orders("CreateOrder"));
    // A method that were gone would be unknown, whoever asks.
    expect(refusals).toMatchObject(
      forUsers.map(({ name }) => ({ name, code: "PermissionDenied" })),
    );
  },
);

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
