import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type {
  EventBus,
  IncomingRecord,
  OutgoingRecord,
} from "../../../services/platform/events/event-bus.ts";
import { createKafkaBus } from "../../../services/platform/events/kafka-bus.ts";
import { setupEventBus } from "../../support/event-bus.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";

describe("the Kafka bus", () => {
  it("refuses a record without a key: a random partition would lose the order", async () => {
    await using bus = setupEventBus();

    const attempt = bus.produce([record("", "x")]);

    await expect(attempt).rejects.toMatchObject({
      reason: "NO_PARTITION_KEY",
      message: expect.stringContaining("No partition key found"),
    });
  });

  it("puts a key where every Kafka client puts it (murmur2), in order", async () => {
    await using bus = setupEventBus();
    const received = collect(bus);
    const keys = ["123", "456", "789"];

    for (let n = 0; n < 5; n += 1) {
      await bus.produce(keys.map((key) => record(key, `${n}`)));
    }

    await eventually("all arrive", () => contents(received).length === 15);
    const partitions = keys.map((key) => [
      ...new Set(ofKey(received, key).map(({ partition }) => partition)),
    ]);
    expect(partitions).toEqual([[2], [2], [1]]);
    for (const key of keys) {
      expect(contents(ofKey(received, key))).toEqual(
        ["0", "1", "2", "3", "4"].map((value) => `${key}=${value}`),
      );
    }
  });

  it("carries headers and bytes unchanged", async () => {
    await using bus = setupEventBus();
    const received = collect(bus);
    const sent: OutgoingRecord = {
      ...record("a", ""),
      value: new Uint8Array([0, 255, 10]),
      headers: { ce_id: "1", traceparent: "00-ä" },
    };

    await bus.produce([sent]);

    await eventually("it arrives", () => received.length > 0);
    expect([...(received[0]?.value ?? [])]).toEqual([0, 255, 10]);
    expect(received[0]?.headers).toEqual(sent.headers);
    expect(received[0]?.offset).toBe(0n);
  });

  it("delivers a partition again from the first record that was not marked", async () => {
    await using bus = setupEventBus();
    const offsets: bigint[] = [];
    bus.consume({
      group: "g",
      topics: ["topic"],
      handle(batch) {
        for (const each of batch.records) {
          offsets.push(each.offset);
          if (each.offset === 1n && offsets.length < 6) {
            batch.pauseFor(50);
            return Promise.resolve();
          }
          batch.markDone(each);
        }
        return batch.commit();
      },
    });

    await bus.produce([record("a", "0"), record("a", "1"), record("a", "2")]);

    const times = (offset: bigint) =>
      offsets.filter((each) => each === offset).length;
    await eventually("all are done", () => times(2n) > 0);
    expect(times(0n)).toBe(1);
    expect(times(1n)).toBeGreaterThan(1);
    expect(times(2n)).toBe(1);
  });

  it("goes on with other partitions while one is paused", async () => {
    await using bus = setupEventBus();
    const seen: string[] = [];
    bus.consume({
      group: "g",
      topics: ["topic"],
      handle(batch) {
        for (const each of batch.records) {
          if (each.key === "123") {
            batch.pauseFor(60_000);
            return Promise.resolve();
          }
          seen.push(text(each));
          batch.markDone(each);
        }
        return batch.commit();
      },
    });

    await bus.produce([record("123", "stuck")]);
    for (let n = 0; n < 3; n += 1) await bus.produce([record("789", `${n}`)]);

    await eventually("the others arrive", () => seen.includes("2"));
  });

  it("delivers a record once though its handling outlasts the session", async () => {
    await using bus = setupEventBus();
    const seen: string[] = [];
    const offsets: bigint[] = [];
    bus.consume({
      group: "g",
      topics: ["topic"],
      async handle(batch) {
        for (const each of batch.records) {
          seen.push(text(each));
          offsets.push(each.offset);
          // The session of the test's bus lasts 6 s.
          if (text(each) === "slow") await delay(9_000);
          batch.markDone(each);
        }
        await batch.commit();
      },
    });

    await bus.produce([record("a", "slow")]);
    await eventually("it is in hand", () => seen.length > 0);
    await bus.produce([record("a", "next")]);

    await eventually(
      "the next one arrives",
      () => seen.includes("next"),
      25_000,
    );
    expect(offsets).toEqual([...new Set(offsets)]);
  });

  it("fails to produce within seconds when no broker answers, and closes", async () => {
    const bus = createKafkaBus({
      brokers: ["127.0.0.1:1"],
      clientId: "test",
      logger: silentLogger,
    });
    const consumption = bus.consume({
      group: "g",
      topics: ["topic"],
      handle: () => Promise.resolve(),
    });
    const start = performance.now();

    await expect(bus.produce([record("a", "x")])).rejects.toThrow();
    await bus.close();

    expect(performance.now() - start).toBeLessThan(10_000);
    expect(consumption.assigned()).toEqual([]);
  });

  it("lets no timer spin or warn while idle", async () => {
    await using bus = setupEventBus();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    const received = collect(bus);
    await bus.produce([record("a", "x")]);
    await eventually("it is connected", () => received.length > 0);

    const wakeUps = await countTimerWakeUps(1_000);

    process.removeListener("warning", onWarning);
    // With kafkajs' fault each connection arms a timer every millisecond.
    expect(wakeUps).toBeLessThan(200);
    expect(warnings).toEqual([]);
  });
});

function record(key: string, value: string): OutgoingRecord {
  return { topic: "topic", key, value: Buffer.from(value), headers: {} };
}

function collect(bus: EventBus): readonly IncomingRecord[] {
  const received: IncomingRecord[] = [];
  bus.consume({
    group: "observer",
    topics: ["topic"],
    handle(batch) {
      for (const each of batch.records) {
        received.push(each);
        batch.markDone(each);
      }
      return batch.commit();
    },
  });
  return received;
}

function ofKey(
  records: readonly IncomingRecord[],
  key: string,
): readonly IncomingRecord[] {
  return records.filter((each) => each.key === key);
}

/** What arrived, in the order of its first arrival: a produce that kafkajs repeats arrives twice. */
function contents(records: readonly IncomingRecord[]): readonly string[] {
  return [...new Set(records.map((each) => `${each.key}=${text(each)}`))];
}

function text(each: IncomingRecord): string {
  return Buffer.from(each.value).toString();
}

/** How many timers are armed within the time: idle clients arm few. */
async function countTimerWakeUps(ms: number): Promise<number> {
  const original = globalThis.setTimeout;
  let count = 0;
  const counting = (...args: Parameters<typeof original>) => {
    count += 1;
    return original(...args);
  };
  globalThis.setTimeout = Object.assign(counting, original);
  try {
    await new Promise((resolve) => original(resolve, ms));
  } finally {
    globalThis.setTimeout = original;
  }
  return count;
}
