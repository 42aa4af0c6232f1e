import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { startKafka } from "../../../deploy/local/components/kafka.ts";
import { createDatabase } from "../../../services/platform/data/database.ts";
import { newEvent } from "../../../services/platform/events/cloud-event.ts";
import { startConsumer } from "../../../services/platform/events/consumer.ts";
import { on } from "../../../services/platform/events/event-handler.ts";
import { createKafkaBus } from "../../../services/platform/events/kafka-bus.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { startRelay } from "../../../services/platform/events/relay.ts";
import { setupDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";

test(
  "a broker that stands still for 20 s costs time, and no event and no order",
  { timeout: 180_000 },
  async ({ skip }) => {
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), "weft-broker-stop-"));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const kafka = stack.use(await startKafka({ directory }));
    const { pid } = kafka;
    if (pid === undefined) return skip("the broker is not a process of ours");
    const { url } = stack.use(await setupDatabase({ service: "events" }));
    const logger = silentLogger;
    const db = stack.use(
      createDatabase({ url, applicationName: "broker stop", logger }),
    );
    const bus = stack.use(
      createKafkaBus({
        brokers: kafka.brokers,
        clientId: "test",
        logger,
        partitions: 3,
        sessionTimeoutMs: 6_000,
      }),
    );
    const relay = stack.use(
      startRelay({ db, bus, logger, source: "/weft/test" }),
    );
    const outbox = createOutbox(relay);
    const effects: string[] = [];
    const failed = new Set<string>();
    stack.use(
      startConsumer({
        db,
        bus,
        logger,
        group: "test",
        retry: { inPlaceAttempts: 1, delaysMs: [500, 1_000, 2_000] },
        handlers: [
          on(StringValueSchema, (tx, { message: { value } }) => {
            if (value.endsWith("3") && !failed.has(value)) {
              failed.add(value);
              throw new Error("not yet");
            }
            tx.onCommit(() => effects.push(value));
            return Promise.resolve();
          }),
        ],
      }),
    );
    const write = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1) {
        for (const key of ["a", "b", "c"]) {
          await db.transaction((tx) =>
            outbox.add(tx, stringEvent(key, `${key} ${n}`)),
          );
        }
      }
    };
    await write(0, 5);
    await eventually("the first are in", () => effects.length === 15, 30_000);

    process.kill(pid, "SIGSTOP");
    stack.defer(() => void process.kill(pid, "SIGCONT"));
    await write(5, 15);
    await delay(20_000);
    process.kill(pid, "SIGCONT");
    await write(15, 20);

    await eventually("all are in", () => effects.length >= 60, 90_000);
    for (const key of ["a", "b", "c"]) {
      expect(effects.filter((value) => value.startsWith(`${key} `))).toEqual(
        Array.from({ length: 20 }, (_, n) => `${key} ${n}`),
      );
    }
    const { rows } = await db.query(
      "select from outbox where published_at is null",
    );
    expect(rows).toEqual([]);
  },
);

function stringEvent(key: string, value: string) {
  return newEvent(StringValueSchema, create(StringValueSchema, { value }), {
    id: randomUUID(),
    aggregateId: key,
    tenant: "acme",
    occurredAt: new Date(),
  });
}
