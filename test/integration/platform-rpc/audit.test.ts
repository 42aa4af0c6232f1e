import { createClient, type ServiceImpl } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  InventoryService,
  type AdjustStockRequest,
} from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { RateLimitAdminService } from "../../../gen/ts/weft/ratelimit/v1/rate_limit_admin_service_pb.ts";
import {
  createAuditLog,
  pruneAuditLog,
  type AuditLog,
  type AuditRecord,
} from "../../../services/platform/audit/audit-log.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { serve, service } from "../../../services/platform/rpc/server.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import type { Logger } from "../../../services/platform/runtime/logger.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { refusalOf } from "../../support/edge-errors.ts";
import { createMeshTls } from "../../support/mesh-tls.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { claimed } from "./rpc-world.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
  db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "audit test",
    acquireTimeoutMs: 20_000,
    poolSize: 2,
  });
}, 60_000);
afterAll(async () => {
  await db.close();
  await database.close();
});

const TRACE = "0af7651916cd43dd8448eb211c80319c";

it("writes who asked for what, when, and how it ended", async () => {
  await using world = await setup();
  const name = `products/${randomUUID()}`;

  await world.inventory.adjustStock(adjustment(name), world.owner);

  expect(await recordsOf(name)).toEqual([
    {
      phase: "asked",
      method: "weft.inventory.v1.InventoryService/AdjustStock",
      peer: "edge",
      tenant: "acme",
      subject: "ada",
      result: "",
      trace_id: TRACE,
    },
    expect.objectContaining({ phase: "answered", result: "ok" }),
  ]);
});

it("writes of a call that is refused, by the service or for want of a scope", async () => {
  await using world = await setup();
  const name = `products/${randomUUID()}`;
  const refused = adjustment(name, -1n);
  const other = `products/${randomUUID()}`;

  await refusalOf(world.inventory.adjustStock(refused, world.owner));
  const { code } = await refusalOf(
    world.inventory.adjustStock(adjustment(other), claimed("orders:read")),
  );

  expect(code).toBe("PermissionDenied");
  expect(await recordsOf(name)).toMatchObject([
    { phase: "asked" },
    { phase: "answered", result: "failed_precondition" },
  ]);
  expect(await recordsOf(other)).toMatchObject([
    { phase: "asked", subject: "ada" },
    { phase: "answered", result: "permission_denied" },
  ]);
});

it("refuses a name that no record can hold for what it is, and records what it can", async () => {
  await using world = await setup();
  const id = randomUUID();
  const name = `products/${id}\0${"x".repeat(10_000)}`;

  const { code } = await refusalOf(
    world.inventory.adjustStock(adjustment(name), world.owner),
  );

  expect(code).toBe("InvalidArgument");
  const { rows } = await db.query<{ resource: string }>(
    `select resource
     from audit_log
     where resource like $1`,
    [`products/${id}%`],
  );
  expect(rows).toHaveLength(2);
  expect(rows[0]?.resource).toHaveLength(512);
});

it("writes what the fields say that the contract names, where a request has no name", async () => {
  await using world = await setup();
  const subject = randomUUID();
  const entries = { tenant: "a b=c\0", subject, method: "" };

  await world.limits.reset({ entries }, claimed("ratelimit:admin"));

  expect(
    await recordsOf(`subject=${subject} tenant=a%20b%3Dc%00`),
  ).toMatchObject([{ phase: "asked" }, { phase: "answered", result: "ok" }]);
});

it("leaves room for each of the fields that the contract names, however long the others are", async () => {
  await using world = await setup();
  const subject = randomUUID();
  const padding = Array.from({ length: 15 }, (_, at) => [
    `a${at}`,
    "\u{1f512}".repeat(255),
  ]);
  const entries = { ...Object.fromEntries(padding), subject };

  await world.limits.reset({ entries }, claimed("ratelimit:admin"));

  const { rows } = await db.query<{ resource: string }>(
    `select resource
     from audit_log
     where resource like $1`,
    [`%subject=${subject}`],
  );
  expect(rows).toHaveLength(2);
  expect(rows[0]?.resource.length).toBeLessThanOrEqual(2_048);
});

it("gives a long field what the short ones leave", async () => {
  await using world = await setup();
  const subject = `${"д".repeat(60)}-${randomUUID()}`;
  const junk = Array.from({ length: 12 }, (_, at) => [`a${at}`, "junk"]);
  const entries = { ...Object.fromEntries(junk), subject };

  await world.limits.reset({ entries }, claimed("ratelimit:admin"));

  const { rows } = await db.query<{ resource: string }>(
    `select resource
     from audit_log
     where resource like $1`,
    [`%${subject.slice(-36)}`],
  );
  expect(rows).toHaveLength(2);
});

it("writes nothing of other calls", async () => {
  await using world = await setup();
  const name = `products/${randomUUID()}`;

  await world.inventory.getProduct({ name }, claimed("inventory:read"));

  expect(await recordsOf(name)).toEqual([]);
});

it("does nothing that it can't audit", async () => {
  const audit = {
    write: () => Promise.reject(new Error("the disk is full")),
  };
  await using world = await setup({ audit });
  const name = `products/${randomUUID()}`;

  const refusal = await refusalOf(
    world.inventory.adjustStock(adjustment(name), world.owner),
  );

  expect(refusal).toMatchObject({
    code: "Unavailable",
    reason: "DEPENDENCY_UNAVAILABLE",
  });
  expect(world.adjusted).toEqual([]);
});

it("writes to the log too, without the request's content", async () => {
  const lines: object[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (fields) => void lines.push(fields),
  };
  await using world = await setup({ audit: createAuditLog({ logger }) });
  const name = `products/${randomUUID()}`;

  await world.inventory.adjustStock(adjustment(name), world.owner);

  expect(lines).toMatchObject([
    {
      audit: { phase: "asked", resource: name } satisfies Partial<AuditRecord>,
    },
    { audit: { phase: "answered", result: "ok" } },
  ]);
  expect(JSON.stringify(lines)).not.toContain("a secret reason");
});

it.each([
  "update audit_log set subject = 'mallory'",
  "delete from audit_log",
  "truncate audit_log",
])("takes no change of what is written: %s", async (sql) => {
  const kind = sql.split(" ")[0] ?? "";

  await expect(db.query(sql)).rejects.toThrow(`audit_log takes no ${kind}`);
});

it("gives up what is older than 400 days, some at a time, and nothing younger", async () => {
  const name = `products/${randomUUID()}`;
  await db.query(
    `insert into audit_log (
       at, call_id, phase, method, peer, tenant, subject, resource, result, trace_id, request_id
     )
     select now() - days * interval '1 day', gen_random_uuid(), 'asked', '', '', '', '', $1, '', '', ''
     from unnest(array[399, 401, 402, 403]) as days`,
    [name],
  );

  const young = db.query("delete from audit_log where resource = $1", [name]);
  await expect(young).rejects.toThrow("younger than 400 days");
  const first = await pruneAuditLog(db, 2);
  const second = await pruneAuditLog(db, 2);

  expect([first, second]).toEqual([2, 1]);
  expect(await recordsOf(name)).toHaveLength(1);
});

async function recordsOf(resource: string) {
  const { rows } = await db.query(
    `select phase, method, peer, tenant, subject, result, trace_id
       from audit_log
      where resource = $1
      order by id`,
    [resource],
  );
  return rows;
}

function adjustment(name: string, delta = 1n) {
  const requestId = randomUUID();
  return { name, delta, reason: "a secret reason", requestId };
}

async function setup(options: { readonly audit?: AuditLog } = {}) {
  await using stack = new AsyncDisposableStack();
  const tls = stack.use(await createMeshTls(["inventory"]));
  const adjusted: string[] = [];
  const others = Object.fromEntries(
    Object.keys(InventoryService.method).map((name) => [name, () => ({})]),
  );
  // Every method of the service has a key.
  const implementation = {
    ...others,
    adjustStock({ name, delta }: AdjustStockRequest) {
      if (delta < 0n) {
        throw new DomainError({
          code: "failed_precondition",
          reason: "OUT_OF_STOCK",
          message: "there is not so much",
        });
      }
      adjusted.push(name);
      return {};
    },
  } as unknown as ServiceImpl<typeof InventoryService>;
  const limits = Object.fromEntries(
    Object.keys(RateLimitAdminService.method).map((name) => [name, () => ({})]),
  ) as unknown as ServiceImpl<typeof RateLimitAdminService>;
  const server = await serve({
    host: "127.0.0.1",
    grpcPort: 0,
    connectPort: 0,
    tls: tls.of("inventory"),
    services: [
      service(InventoryService, implementation),
      service(RateLimitAdminService, limits),
    ],
    logger: silentLogger,
    audit: options.audit ?? createAuditLog({ db, logger: silentLogger }),
  });
  stack.defer(() => server.drain(AbortSignal.timeout(200)));
  const transport = createMeshTransport({
    address: `127.0.0.1:${server.grpcPort}`,
    callee: "inventory",
    tls: tls.of("edge"),
    logger: silentLogger,
  });
  stack.defer(() => transport.close());
  const { headers } = claimed("inventory:write");
  const running = stack.move();
  return {
    adjusted,
    inventory: createClient(InventoryService, transport),
    limits: createClient(RateLimitAdminService, transport),
    owner: {
      headers: { ...headers, traceparent: `00-${TRACE}-b7ad6b7169203331-01` },
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
