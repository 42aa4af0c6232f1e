import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { Kafka } from "kafkajs";
import pg from "pg";
import { expect, test } from "vitest";
import { ComponentUnavailable } from "../../../deploy/local/component.ts";
import { startKafka } from "../../../deploy/local/components/kafka.ts";
import {
  startObjectStore,
  type ObjectStore,
} from "../../../deploy/local/components/object-store.ts";
import { startPostgres } from "../../../deploy/local/components/postgres.ts";
import { startRedis } from "../../../deploy/local/components/redis.ts";
import { readLocalConfig } from "../../../deploy/local/config.ts";
import { provisionDatabase } from "../../../deploy/local/database.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { stopIdleSpin } from "../../../services/platform/events/kafkajs-idle-fix.ts";
import { isAlive, runDirectory } from "./setup.ts";

/** A first run installs what is missing. */
const TIMEOUT_MS = 300_000;

test(
  "Postgres keeps its data over a stop, and over SIGKILL",
  async () => {
    await using directory = await runDirectory();
    const first = await startPostgres({ directory: directory.path });
    await query(first.url, "create table t as select 1 as n");
    await first.stop();
    const second = await startPostgres({ directory: directory.path });
    await query(second.url, "insert into t values (2)");
    process.kill(second.pid ?? Number.NaN, "SIGKILL");
    await second.exited;

    await using third = await startPostgres({ directory: directory.path });

    expect(await query(third.url, "select sum(n)::int as sum from t")).toEqual([
      { sum: 3 },
    ]);
  },
  TIMEOUT_MS,
);

test(
  "Postgres runs with the settings of the list",
  async () => {
    await using directory = await runDirectory();
    await using postgres = await startPostgres({ directory: directory.path });

    const rows = await query(
      postgres.url,
      `select current_setting('max_prepared_transactions') as prepared,
              current_setting('max_connections') as connections,
              current_setting('fsync') as fsync,
              current_setting('idle_in_transaction_session_timeout') as idle`,
    );

    expect(rows).toEqual([
      { prepared: "256", connections: "200", fsync: "on", idle: "30s" },
    ]);
  },
  TIMEOUT_MS,
);

test(
  "each service's role owns its schema and sees no other",
  async () => {
    await using directory = await runDirectory();
    await using postgres = await startPostgres({ directory: directory.path });
    const services = [
      { service: "order", schema: "orders", password: "a'b" },
      { service: "payment", schema: "payment", password: "p" },
    ];
    await provisionDatabase(postgres.url, services);

    // Once more: a second start finds everything there.
    const urls = await provisionDatabase(postgres.url, services);
    const order = urls["order"] ?? "";
    await query(order, "create table t (n int)");

    expect(await query(order, "select current_schema() as schema")).toEqual([
      { schema: "orders" },
    ]);
    await expect(
      query(urls["payment"] ?? "", "select n from orders.t"),
    ).rejects.toThrow("permission denied for schema orders");
    await expect(query(order, "create table public.t (n int)")).rejects.toThrow(
      "permission denied for schema public",
    );
  },
  TIMEOUT_MS,
);

test(
  "Kafka keeps its topics over a stop, and stops without a trace",
  async () => {
    await using directory = await runDirectory();
    const first = await startKafka({ directory: directory.path });
    await withAdmin(first.brokers, (admin) =>
      admin.createTopics({ topics: [{ topic: "kept", numPartitions: 3 }] }),
    );
    await first.stop();
    expect(await directory.processes()).toEqual([]);

    await using second = await startKafka({ directory: directory.path });

    const topics = await withAdmin(second.brokers, (a) => a.listTopics());
    expect(topics).toContain("kept");
  },
  TIMEOUT_MS,
);

test(
  "Redis answers, and is gone after a stop",
  async () => {
    await using directory = await runDirectory();
    const redis = await startRedis({ directory: directory.path });
    const client = new Redis(redis.url);
    const pong = await client.ping();
    client.disconnect();

    await redis.stop();

    expect(pong).toBe("PONG");
    expect(isAlive(redis.pid ?? Number.NaN)).toBe(false);
  },
  TIMEOUT_MS,
);

test(
  "a Redis that is full forgets what expires soonest",
  async () => {
    await using directory = await runDirectory();
    await using redis = await startRedis({ directory: directory.path });
    using clients = new DisposableStack();
    const client = clients.adopt(new Redis(redis.url), (each) =>
      each.disconnect(),
    );
    const [, used] =
      /used_memory:(\d+)/.exec(await client.info("memory")) ?? [];
    await client.config("SET", "maxmemory", Number(used) + 2 * 1_048_576);
    const ofADay = Array.from({ length: 10 }, (_, index) => `day-${index}`);
    for (const key of ofADay) await client.set(key, "1", "EX", 86_400);
    const ofAMinute = Array.from({ length: 600 }, (_, index) => `min-${index}`);

    for (const key of ofAMinute)
      await client.set(key, "x".repeat(10_000), "EX", 60);

    expect(await client.exists(ofADay)).toBe(ofADay.length);
    expect(await client.exists(ofAMinute)).toBeLessThan(ofAMinute.length);
  },
  TIMEOUT_MS,
);

test(
  "the object store keeps objects over a stop, for those who sign",
  async () => {
    await using directory = await runDirectory();
    const first = await startObjectStore({ directory: directory.path });
    await signed(first, ["-X", "PUT"], "/bucket");
    await signed(first, ["-X", "PUT", "--data-binary", "kept"], "/bucket/key");
    await first.stop();

    await using second = await startObjectStore({ directory: directory.path });

    const unsigned = await fetch(`${second.url}/bucket/key`);
    expect(await signed(second, [], "/bucket/key")).toBe("kept");
    expect(unsigned.status).toBe(403);
  },
  TIMEOUT_MS,
);

test("a port in use is told in one line, with the remedy", async () => {
  await using directory = await runDirectory();
  const port = await freePort();
  const squatter = createServer().listen(port, "127.0.0.1");
  await once(squatter, "listening");

  const start = startPostgres({ directory: directory.path, port });

  await expect(start).rejects.toThrow(ComponentUnavailable);
  await expect(start).rejects.toThrow(
    `postgres is not available: port ${port} is in use. Stop what listens there, or let weft choose a free port.`,
  );
  squatter.close();
});

test(
  "a URL in the environment is taken as it is, and left running by a stop",
  async () => {
    await using directory = await runDirectory();
    await using elsewhere = await startPostgres({ directory: directory.path });
    const config = readLocalConfig({ WEFT_POSTGRES_URL: elsewhere.url });

    const given = await startPostgres({ directory: "unused", config });
    await given.stop();

    expect(given).toMatchObject({
      source: "environment",
      version: "18.4",
      url: elsewhere.url,
    });
    expect(await query(elsewhere.url, "select 1 as n")).toEqual([{ n: 1 }]);
  },
  TIMEOUT_MS,
);

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** curl signs requests as S3 wants it; the project has no S3 client. */
async function signed(
  store: ObjectStore,
  args: readonly string[],
  path: string,
): Promise<string> {
  const { stdout } = await promisify(execFile)("curl", [
    "--silent",
    "--fail-with-body",
    "--header",
    "x-amz-content-sha256: UNSIGNED-PAYLOAD",
    "--aws-sigv4",
    `aws:amz:${store.region}:s3`,
    "--user",
    `${store.accessKeyId}:${store.secretAccessKey}`,
    ...args,
    store.url + path,
  ]);
  return stdout;
}

async function withAdmin<T>(
  brokers: readonly string[],
  use: (admin: ReturnType<Kafka["admin"]>) => Promise<T>,
): Promise<T> {
  stopIdleSpin();
  const admin = new Kafka({ brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
