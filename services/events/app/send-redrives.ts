import { fullJitter, sleep } from "../../platform/data/backoff.ts";
import type { Database } from "../../platform/data/database.ts";
import type { EventBus } from "../../platform/events/event-bus.ts";
import { toRedriveRecord } from "../../platform/events/retry-topic.ts";
import type { WakeUp } from "../../platform/events/wake-up.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  claimSending,
  type LetterToSend,
  lockLettersToSend,
  markRedriven,
} from "../store/dead-letters.ts";

export interface SendRedrivesDeps {
  readonly db: Database;
  readonly bus: Pick<EventBus, "produce">;
  readonly logger: Logger;
  readonly bell: WakeUp;
  readonly now: () => Date;
}

const BATCH = 20;
const POLL_MS = 2_000;

/**
 * Sends what is decided to each group's own retry topic until `stopping` aborts; of several processes one does at a time. It is marked after Kafka has it, so a
 * crash in between sends it twice, and the group's inbox knows the second.
 */
export async function sendRedrives(
  deps: SendRedrivesDeps,
  stopping: AbortSignal,
): Promise<void> {
  for (let failures = 0; !stopping.aborted;) {
    try {
      const sent = await sendBatch(deps);
      failures = 0;
      if (sent < BATCH) await deps.bell.wait(POLL_MS, stopping);
    } catch (error) {
      failures += 1;
      deps.logger.warn({ err: error, failures }, "redrives wait to be sent");
      await sleep(fullJitter(failures, 200, 10_000), stopping).catch(
        () => undefined,
      );
    }
  }
}

function sendBatch(deps: SendRedrivesDeps): Promise<number> {
  return deps.db.transaction(async (tx) => {
    if (!(await claimSending(tx))) return 0;
    const letters = await lockLettersToSend(tx, BATCH);
    if (letters.length === 0) return 0;
    await deps.bus.produce(letters.map((letter) => toRecord(deps, letter)));
    await markRedriven(
      tx,
      letters.map(({ id }) => id),
    );
    return letters.length;
  });
}

function toRecord(deps: SendRedrivesDeps, letter: LetterToSend) {
  const { content, topic, partition, offset } = letter;
  const record = {
    topic,
    partition,
    offset,
    key: content.recordKey,
    value: content.payload,
    headers: content.headers,
  };
  const redrive = { id: letter.redriveId, at: deps.now() };
  return toRedriveRecord(record, letter.group, redrive);
}
