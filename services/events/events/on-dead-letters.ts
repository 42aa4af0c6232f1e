import { metrics } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import {
  type BuriedRecord,
  fromDeadLetter,
  isDeadLetterTopic,
} from "../../platform/events/dead-letter.ts";
import type {
  Consumption,
  EventBus,
  PartitionBatch,
} from "../../platform/events/event-bus.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  receiveDeadLetters,
  type ReceiveDeps,
} from "../app/receive-dead-letters.ts";

export interface IntakeDeps extends ReceiveDeps {
  readonly bus: Pick<EventBus, "consume" | "listTopics">;
  readonly logger: Logger;
  /** How often to look for topics of new groups. */
  readonly discoverEveryMs: number;
}

const GROUP = "events-dead-letters";
const LOOK_AGAIN_MS = 1_000;

/**
 * Takes the dead letters of all groups in until `stopping` aborts: the offset is committed after they are stored. A
 * group's topic is read from its beginning once it is found, so none is missed.
 */
export async function takeDeadLettersIn(
  deps: IntakeDeps,
  stopping: AbortSignal,
): Promise<void> {
  const arrivals = metrics
    .getMeter("weft.events")
    .createCounter("weft.dead_letters.arrivals", {
      description: "Dead letters that arrived, by group and reason",
      unit: "{event}",
    });
  const count = ({ group, errorReason }: BuriedRecord): void =>
    arrivals.add(1, {
      "messaging.consumer.group.name": group,
      reason: errorReason,
    });
  let read: readonly string[] = [];
  let consumption: Consumption | undefined;
  while (!stopping.aborted) {
    const topics = await findTopics(deps, read);
    if (topics.length > read.length) {
      await consumption?.close();
      read = topics;
      consumption = deps.bus.consume({
        group: GROUP,
        topics,
        handle: (batch) => handleBatch(deps, batch, count),
      });
    }
    await sleep(deps.discoverEveryMs, stopping).catch(() => undefined);
  }
  await consumption?.close();
}

/** Those known, where the broker does not answer: the next look comes soon. */
async function findTopics(
  { bus, logger }: IntakeDeps,
  known: readonly string[],
): Promise<readonly string[]> {
  try {
    const topics = await bus.listTopics();
    return [...new Set([...known, ...topics.filter(isDeadLetterTopic)])];
  } catch (error) {
    logger.warn({ err: error }, "topics of dead letters not looked for");
    return known;
  }
}

async function handleBatch(
  deps: IntakeDeps,
  batch: PartitionBatch,
  count: (letter: BuriedRecord) => void,
): Promise<void> {
  const last = batch.records.at(-1);
  if (last === undefined) return;
  const letters = batch.records.flatMap((record) => {
    const letter = fromDeadLetter(record);
    if (letter !== undefined) return [letter];
    const { topic, partition, offset } = record;
    deps.logger.warn(
      { topic, partition, offset: offset.toString() },
      "no dead letter of ours, passed over",
    );
    return [];
  });
  try {
    (await receiveDeadLetters(deps, letters)).forEach(count);
  } catch (error) {
    deps.logger.warn({ err: error }, "dead letters not stored, tries again");
    batch.pauseFor(LOOK_AGAIN_MS);
    return;
  }
  batch.markDone(last);
  await batch.commit();
}
