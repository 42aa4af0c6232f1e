import { Code, ConnectError } from "@connectrpc/connect";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  test,
} from "vitest";
import { BadRequestSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { createDatabase } from "../../../services/platform/data/database.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import { callerOf } from "../../../services/platform/rpc/caller.ts";
import { reasonOf } from "../../../services/platform/rpc/status.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import type { Logger } from "../../../services/platform/runtime/logger.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  asUser,
  claimed,
  orderName,
  protocols,
  setupRpc,
  type OrderImpl,
} from "./rpc-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "order" });
});
afterAll(() => database.close());

/** A server whose handlers ask a real Postgres, and what it logs. */
async function setup(implementation: (db: Executor) => Partial<OrderImpl>) {
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "nul test",
  });
  onTestFinished(() => db.close());
  const logged: { level: string; text: unknown }[] = [];
  const log = (level: string) => (_fields: unknown, text: unknown) =>
    void logged.push({ level, text });
  // The middleware uses no other methods of it.
  const logger = {
    ...silentLogger,
    warn: log("warn"),
    error: log("error"),
  } as Logger;
  const rpc = await setupRpc(implementation(db), { logger });
  onTestFinished(() => rpc[Symbol.asyncDispose]());
  return { rpc, logged };
}

const keep = (db: Executor, text: string) =>
  db.query("select $1::text as kept", [text]);

describe.each(protocols)("over %s", (protocol) => {
  test.each([
    ["text", (db: Executor, text: string) => keep(db, text)],
    [
      "JSON",
      (db: Executor, text: string) =>
        db.query("select $1::jsonb as kept", [{ text }]),
    ],
  ])("names the field that Postgres can't keep as %s", async (_, keepAs) => {
    const { rpc, logged } = await setup((db) => ({
      async listOrders({ customer }) {
        await keepAs(db, customer);
        return {};
      },
    }));

    const refusal = await refused(
      rpc.orders(protocol).listOrders({ customer: "a\0b" }, asUser),
    );

    expect(refusal).toEqual({
      code: Code.InvalidArgument,
      reason: "INVALID_FIELD",
      message: "customer: must not contain U+0000, which can't be stored",
      violations: [
        {
          field: "customer",
          description: "must not contain U+0000, which can't be stored",
          reason: "INVALID_FIELD",
        },
      ],
    });
    expect(logged).toEqual([]);
  });

  test("names a field of the request that a stream answers", async () => {
    const { rpc } = await setup((db) => ({
      async *watchOrders({ resumeToken }) {
        await keep(db, resumeToken);
        yield {};
      },
    }));

    const refusal = await refused(
      Array.fromAsync(
        rpc.orders(protocol).watchOrders({ resumeToken: "\0" }, asUser),
      ),
    );

    expect(refusal).toMatchObject({
      code: Code.InvalidArgument,
      reason: "INVALID_FIELD",
      violations: [{ field: "resume_token" }],
    });
  });
});

test("names no field where the request has none that Postgres can't keep, and tells the log", async () => {
  const { rpc, logged } = await setup((db) => ({
    async getOrder({ name }, context) {
      await keep(db, callerOf(context).tenant);
      return { order: { name } };
    },
  }));

  const refusal = await refused(
    rpc
      .orders("gRPC")
      .getOrder({ name: orderName }, claimed("orders:read", "acme\0")),
  );

  expect(refusal).toMatchObject({
    code: Code.InvalidArgument,
    reason: "INVALID_FIELD",
    violations: [],
  });
  expect(logged).toEqual([
    { level: "warn", text: "Postgres refused a text that is no field's" },
  ]);
});

test("takes a NUL that never reaches Postgres", async () => {
  const { rpc } = await setup(() => ({
    listOrders: ({ customer }) => ({ nextPageToken: customer }),
  }));

  const { nextPageToken } = await rpc
    .orders("gRPC")
    .listOrders({ customer: "a\0b" }, asUser);

  expect(nextPageToken).toBe("a\0b");
});

test("leaves a handler its own refusal, and other failures of Postgres to the log", async () => {
  const { rpc, logged } = await setup((db) => ({
    async listOrders({ customer }) {
      const cause: unknown = await keep(db, customer).catch((e: unknown) => e);
      throw new DomainError({
        code: "not_found",
        reason: "NO_SUCH_CUSTOMER",
        message: "there is no such customer",
        cause,
      });
    },
    async getOrder() {
      await db.query("select 1 / 0");
      return {};
    },
  }));
  const orders = rpc.orders("gRPC");

  const own = await refused(orders.listOrders({ customer: "\0" }, asUser));
  const fault = await refused(orders.getOrder({ name: orderName }, asUser));

  expect(own).toMatchObject({ reason: "NO_SUCH_CUSTOMER" });
  expect(fault).toMatchObject({ reason: "INTERNAL" });
  expect(logged).toEqual([
    { level: "error", text: "the call failed by our fault" },
  ]);
});

async function refused(call: Promise<unknown>) {
  const error: unknown = await call.catch((e: unknown) => e);
  if (!(error instanceof ConnectError)) throw new Error("it was answered");
  return {
    code: error.code,
    reason: reasonOf(error),
    message: error.rawMessage,
    violations: error
      .findDetails(BadRequestSchema)
      .flatMap(({ fieldViolations }) =>
        fieldViolations.map(({ field, description, reason }) => ({
          field,
          description,
          reason,
        })),
      ),
  };
}
