import { Kafka, type Message, Partitioners, logLevel } from "kafkajs";
import { DomainError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Consumption, EventBus, OutgoingRecord } from "./event-bus.ts";
import { startKafkaConsumption } from "./kafka-consumption.ts";
import { kafkaLogger } from "./kafka-logger.ts";
import { createTopicEnsurer } from "./kafka-topics.ts";
import { stopIdleSpin } from "./kafkajs-idle-fix.ts";
import { splitRecords } from "./split-records.ts";

export interface KafkaBusOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly logger: Logger;
  /** Partitions of a topic that has to be created. Default 6. */
  readonly partitions?: number;
  /** How long a created topic keeps its events. Default 14 days; keep it below the inbox's retention. */
  readonly retentionMs?: number;
  /** How long a dead consumer keeps its partitions. Default 10 s; brokers allow 6 s and more. */
  readonly sessionTimeoutMs?: number;
}

const PRODUCE_TIMEOUT_MS = 5_000;

/**
 * Kafka behind {@link EventBus}, on kafkajs. Connects on first use. It never
 * uses Kafka's transactions: kafkajs stops at protocol versions in which they
 * tear (KIP-890); the inbox gives the exactly-once effect instead.
 */
export function createKafkaBus(options: KafkaBusOptions): EventBus {
  stopIdleSpin();
  const kafka = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    logLevel: logLevel.INFO,
    logCreator: kafkaLogger(options.logger),
    connectionTimeout: 3_000,
    requestTimeout: 6_000,
    // Callers retry on their own terms, so a call fails within seconds.
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
  });
  const topics = createTopicEnsurer(kafka, options);
  const producer = createProducer(kafka);
  const consumptions = new Set<Consumption>();
  const bus: EventBus = {
    async produce(records) {
      for (const record of records) requireKey(record);
      const names = records.map((record) => record.topic);
      await topics.ensure(names);
      try {
        // One after the other, so that records of one key keep their order.
        for (const part of splitRecords(records)) await producer.send(part);
      } catch (error) {
        topics.forget(names);
        throw error;
      }
    },
    consume(consume) {
      const consumption = startKafkaConsumption(
        {
          kafka,
          topics,
          logger: options.logger,
          sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
        },
        consume,
      );
      consumptions.add(consumption);
      return consumption;
    },
    listTopics: () => topics.list(),
    retentionMs: (names) => topics.retentionMs(names),
    async close() {
      await Promise.all([...consumptions].map((each) => each.close()));
      await Promise.all([producer.close(), topics.close()]);
    },
    [Symbol.asyncDispose]: () => bus.close(),
  };
  return bus;
}

function createProducer(kafka: Kafka) {
  const producer = kafka.producer({
    // The partitioner of the Java client, so that every language agrees on a key's partition.
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    maxInFlightRequests: 1,
  });
  let connected: Promise<void> | undefined;
  return {
    async send(records: readonly OutgoingRecord[]): Promise<void> {
      connected ??= producer.connect();
      try {
        await connected;
      } catch (error) {
        connected = undefined;
        throw error;
      }
      await producer.sendBatch({
        acks: -1,
        timeout: PRODUCE_TIMEOUT_MS,
        topicMessages: byTopic(records),
      });
    },
    async close(): Promise<void> {
      await connected?.catch(() => undefined);
      await producer.disconnect();
    },
  };
}

function byTopic(records: readonly OutgoingRecord[]) {
  const groups = Map.groupBy(records, (record) => record.topic);
  return [...groups].map(([topic, group]) => ({
    topic,
    messages: group.map(toMessage),
  }));
}

function toMessage(record: OutgoingRecord): Message {
  const { buffer, byteOffset, byteLength } = record.value;
  return {
    key: record.key,
    value: Buffer.from(buffer, byteOffset, byteLength),
    headers: { ...record.headers },
  };
}

function requireKey(record: OutgoingRecord): void {
  if (record.key !== "") return;
  throw new DomainError({
    code: "invalid_argument",
    reason: "NO_PARTITION_KEY",
    message: `No partition key found for a record of ${record.topic}`,
  });
}
