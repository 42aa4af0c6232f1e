import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { createKafkaBus } from "../../../services/platform/events/kafka-bus.ts";
import { kafkaFaults } from "../../faults/check-kafka.ts";
import { silentLogger } from "../../support/silent-logger.ts";

test("the check of the topics takes second deliveries, and finds a lost event and an overtaken one", async () => {
  const brokers = inject("kafkaBrokers");
  const topic = `check-${randomUUID()}`;
  await using bus = createKafkaBus({
    brokers,
    clientId: "test",
    logger: silentLogger,
  });
  const send = (...versions: readonly [key: string, version: number][]) =>
    bus.produce(
      versions.map(([key, version]) => ({
        topic,
        key,
        value: Buffer.from("x"),
        headers: {
          ce_id: `${key}-${version}`,
          ce_source: "/weft/test",
          ce_sequence: `${version}`,
        },
      })),
    );
  const where = { brokers, topics: [topic] };

  await send(["a", 1], ["a", 2], ["a", 1], ["a", 2], ["b", 5], ["a", 3]);
  expect(await kafkaFaults(where, ["a-1", "a-2", "a-3", "b-5"])).toEqual([]);
  expect(await kafkaFaults(where, ["a-4"], 500)).toEqual([
    "a-4 is not in Kafka",
  ]);

  await send(["b", 7], ["b", 6], ["b", 8]);
  expect(await kafkaFaults(where, ["b-8"])).toEqual([
    "/weft/test b: version 6 came after 7",
  ]);
});
