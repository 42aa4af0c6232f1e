import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { createDatabase } from "../../../services/platform/data/database.ts";
import { startConsumer } from "../../../services/platform/events/consumer.ts";
import type { EventBus } from "../../../services/platform/events/event-bus.ts";
import {
  type EventHandler,
  on,
  onBatch,
  reads,
} from "../../../services/platform/events/event-handler.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { openPrefixedBus } from "../../support/prefixed-bus.ts";
import { silentLogger } from "../../support/silent-logger.ts";

/**
 * A consumer of the group `test` as a process, which kills itself at a moment: "before forward" and "after forward" to a
 * retry topic, "after bury", "while releasing" the events that were parked, or "in a batch" whose effect is not committed.
 */
const [databaseUrl = "", brokers = "", prefix = "", moment = ""] =
  process.argv.slice(2);

const bus = openPrefixedBus(brokers.split(","), prefix);
const failed = new Set<string>();

startConsumer({
  db: createDatabase({
    url: databaseUrl,
    applicationName: "consumer process",
    logger: silentLogger,
  }),
  bus: dyingAt(moment, bus),
  logger: silentLogger,
  group: "test",
  retry: { inPlaceAttempts: 1, delaysMs: [1_500, 1_500] },
  handlers: moment === "in a batch" ? dyingInBatch() : [dyingAlone()],
});

function dyingAlone(): EventHandler {
  return on(StringValueSchema, async (tx, { message: { value } }) => {
    fail(value);
    if (moment === "while releasing" && value === "a 2") die();
    await tx.query("insert into effect (value) values ($1)", [value]);
  });
}

function dyingInBatch(): EventHandler[] {
  const reader = reads(StringValueSchema, ({ message: { value } }) => ({
    value,
  }));
  return onBatch([reader], async (tx, works) => {
    for (const { value } of works) {
      await tx.query("insert into effect (value) values ($1)", [value]);
    }
    die();
  });
}

function fail(value: string): void {
  if (value !== "a 0") return;
  if (moment === "after bury") {
    throw new DomainError({
      code: "invalid_argument",
      reason: "BAD",
      message: value,
    });
  }
  if (moment !== "while releasing" || !failed.has(value)) {
    failed.add(value);
    throw new Error("not yet");
  }
}

function dyingAt(when: string, around: EventBus): EventBus {
  return {
    ...around,
    async produce(records) {
      const topic = records[0]?.topic ?? "";
      if (when === "before forward" && topic.includes(".retry.")) die();
      await around.produce(records);
      if (when === "after forward" && topic.includes(".retry.")) die();
      if (when === "after bury" && topic.endsWith(".dlt")) die();
    },
  };
}

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("it should be dead");
}
