import type { Database } from "../data/database.ts";
import type { EventBus } from "./event-bus.ts";
import {
  findWaiting,
  type GroupKey,
  markForwarded,
  readParked,
} from "./parked-events.ts";
import { toRetryRecord } from "./retry-topic.ts";

/**
 * Sends the event that a key waits for to the retry topic of its round, unless
 * that has it. Whoever calls it at the same time sends it twice at worst; the
 * second is known by its attempt.
 */
export async function forwardWaiting(
  deps: { readonly db: Database; readonly bus: Pick<EventBus, "produce"> },
  ref: GroupKey,
): Promise<void> {
  const waiting = await findWaiting(deps.db, ref);
  if (waiting === undefined || waiting.forwardedAt !== null) return;
  const record = await readParked(deps.db, ref, waiting.eventId);
  if (record === undefined) return;
  // One that was parked and did not fail yet takes the first round, due at once.
  const failure = { ...waiting, round: Math.max(1, waiting.round) };
  await deps.bus.produce([
    toRetryRecord(record, ref.group, failure, {
      at: waiting.dueAt,
      error: waiting.lastError ?? "",
    }),
  ]);
  await markForwarded(deps.db, ref, waiting);
}
