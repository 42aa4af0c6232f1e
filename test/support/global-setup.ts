import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startKafka } from "../../deploy/local/components/kafka.ts";
import { startPostgres } from "../../deploy/local/components/postgres.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Of the superuser. */
    readonly postgresUrl: string;
    readonly kafkaBrokers: readonly string[];
  }
}

/** One Postgres and one Kafka for the whole run; each test file makes its own database and topics in them. */
export default async function setup(
  project: TestProject,
): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "weft-test-"));
  await using started = new AsyncDisposableStack();
  started.defer(() => rm(directory, { recursive: true, force: true }));

  const [postgres, kafka] = await Promise.allSettled([
    startPostgres({ directory }),
    startKafka({ directory }),
  ]);
  // Each that came up is stopped, also when the other one did not.
  if (postgres.status === "fulfilled") started.use(postgres.value);
  if (kafka.status === "fulfilled") started.use(kafka.value);
  if (postgres.status === "rejected") throw postgres.reason;
  if (kafka.status === "rejected") throw kafka.reason;

  project.provide("postgresUrl", postgres.value.url);
  project.provide("kafkaBrokers", [...kafka.value.brokers]);
  const running = started.move();
  return () => running.disposeAsync();
}
