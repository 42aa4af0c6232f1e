import type { Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { fullJitter, sleep } from "../data/backoff.ts";
import type { Logger } from "../runtime/logger.ts";
import type {
  ConsumeOptions,
  Consumption,
  TopicPartition,
} from "./event-bus.ts";
import { type BatchTaker, toPartitionBatch } from "./kafka-batch.ts";
import type { TopicEnsurer } from "./kafka-topics.ts";
import { createOffsetCommits } from "./offset-commits.ts";

export interface KafkaConsumptionDeps {
  readonly kafka: Kafka;
  readonly topics: TopicEnsurer;
  readonly logger: Logger;
  readonly sessionTimeoutMs: number;
}

const HEARTBEAT_MS = 2_000;
/** An event in hand when the process stops gets this long; then it is left to the next owner. */
const CLOSE_TIMEOUT_MS = 10_000;
/** The longest that a fetch waits for data, thus the longest delay until a resumed partition is read. */
const MAX_FETCH_WAIT_MS = 250;
const FETCH_EVERY_MS = 5;
/**
 * A group that reads topics of others' events is woken by all of them, and most are of no concern to it. So it waits longer
 * the longer nothing was: a hundredth of that time, up to this. Orders that do without its events paid a tenth of the machine
 * for three groups that fetched as often as they could.
 */
const LONGEST_QUIET_MS = 200;
const QUIET_SHARE = 0.01;
/** kafkajs fetches again only when all partitions of the last fetch are handled, so the share of one is small. */
const MAX_BYTES_PER_PARTITION = 256 * 1024;

/**
 * Keeps one member of a consumer group alive. When kafkajs gives up, a new
 * consumer takes its place: its own restart can leave a disconnected consumer
 * that goes on (tulios/kafkajs#1639).
 */
export function startKafkaConsumption(
  deps: KafkaConsumptionDeps,
  options: ConsumeOptions,
): Consumption {
  const stop = new AbortController();
  const state: MemberState = { assigned: [] };
  const running = superviseMember(deps, options, state, stop.signal);
  const close = async (): Promise<void> => {
    stop.abort(new Error("consumption closed"));
    await within(CLOSE_TIMEOUT_MS, running, () =>
      deps.logger.warn(
        { group: options.group },
        "consumer did not end in time",
      ),
    );
  };
  return {
    assigned: () => state.assigned,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function within(
  ms: number,
  work: Promise<void>,
  onTimeout: () => void,
): Promise<void> {
  const bound = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    onTimeout();
    bound.resolve();
  }, ms);
  await Promise.race([work, bound.promise]);
  clearTimeout(timer);
}

interface MemberState {
  assigned: readonly TopicPartition[];
}

async function superviseMember(
  deps: KafkaConsumptionDeps,
  options: ConsumeOptions,
  state: MemberState,
  stop: AbortSignal,
): Promise<void> {
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    const startedAt = performance.now();
    try {
      await runMember(deps, options, state, stop);
    } catch (error) {
      deps.logger.warn(
        { err: error, group: options.group },
        "consumer lost, starts again",
      );
    }
    state.assigned = [];
    // A member that ran for a while did not fail for the reason the last one did.
    if (performance.now() - startedAt > 60_000) attempt = 1;
    await sleep(fullJitter(attempt, 250, 10_000), stop).catch(() => undefined);
  }
}

/** Runs one kafkajs consumer until it crashes or is asked to stop. */
async function runMember(
  deps: KafkaConsumptionDeps,
  options: ConsumeOptions,
  state: MemberState,
  stop: AbortSignal,
): Promise<void> {
  await deps.topics.ensure(options.topics);
  const consumer = deps.kafka.consumer({
    groupId: options.group,
    sessionTimeout: deps.sessionTimeoutMs,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: MAX_FETCH_WAIT_MS,
    maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
    allowAutoTopicCreation: false,
    retry: {
      retries: 30,
      maxRetryTime: 1_000,
      restartOnFailure: () => Promise.resolve(false),
    },
  });
  const ended = Promise.withResolvers<void>();
  // It may reject while the start is still awaited.
  ended.promise.catch(() => undefined);
  const onStop = (): void => ended.resolve();
  stop.addEventListener("abort", onStop, { once: true });
  const member = createMember();
  observeMember(consumer, state, member, ended.reject);
  try {
    await consumer.connect();
    await consumer.subscribe({
      topics: [...options.topics],
      fromBeginning: true,
    });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: options.concurrency ?? 4,
      eachBatch: (payload) => handleBatch(member, payload, options, stop),
    });
    if (stop.aborted) ended.resolve();
    await ended.promise;
  } finally {
    stop.removeEventListener("abort", onStop);
    for (const timer of member.timers) clearTimeout(timer);
    await member.commits.flush();
    // Waits for the batches in hand, which commit for themselves from now on.
    await consumer.disconnect();
  }
}

/** What one kafkajs consumer has under way. */
interface Member extends BatchTaker {
  /** When the last fetch came back, and when one last brought something of concern. */
  fetchedAt: number;
  concernedAt: number;
}

function createMember(): Member {
  return {
    timers: new Set(),
    commits: createOffsetCommits(),
    fetchedAt: 0,
    concernedAt: 0,
  };
}

function observeMember(
  consumer: Consumer,
  state: MemberState,
  member: Member,
  onCrash: (error: Error) => void,
): void {
  consumer.on(consumer.events.FETCH, () => {
    member.fetchedAt = performance.now();
  });
  consumer.on(consumer.events.REBALANCING, () => void member.commits.flush());
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    state.assigned = Object.entries(payload.memberAssignment).flatMap(
      ([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition })),
    );
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => onCrash(payload.error));
}

async function handleBatch(
  member: Member,
  payload: EachBatchPayload,
  options: ConsumeOptions,
  stop: AbortSignal,
): Promise<void> {
  const lost = new AbortController();
  // kafkajs sends no heartbeat during a batch unless told to; at the end of the
  // session timeout the partition would be given away in mid-handler.
  const heartbeat = setInterval(() => {
    payload.heartbeat().catch((error: unknown) => lost.abort(error));
  }, HEARTBEAT_MS);
  const signal = AbortSignal.any([stop, lost.signal]);
  const batch = toPartitionBatch(payload, signal, member);
  try {
    await options.handle(batch);
    if (batch.isOfConcern) member.concernedAt = performance.now();
    if (signal.aborted) await member.commits.flush();
  } finally {
    clearInterval(heartbeat);
  }
  // kafkajs rejoins the group when it sees the error of the heartbeat.
  lost.signal.throwIfAborted();
  if (batch.remaining === 0n) await pauseFetching(member, options, stop);
}

/** kafkajs fetches again when this returns. */
async function pauseFetching(
  { concernedAt, fetchedAt }: Member,
  { fetchEveryMs = FETCH_EVERY_MS }: ConsumeOptions,
  stop: AbortSignal,
): Promise<void> {
  const quietMs = (fetchedAt - concernedAt) * QUIET_SHARE;
  const everyMs = Math.max(fetchEveryMs, Math.min(quietMs, LONGEST_QUIET_MS));
  const pauseMs = fetchedAt + everyMs - performance.now();
  if (pauseMs > 1) await sleep(pauseMs, stop).catch(() => undefined);
}
