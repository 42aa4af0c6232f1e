import type { JournalEntry, StoredAnswer } from "./journal.ts";
import type { PaymentIntent } from "./payment-intent.ts";
import { noSuch, ProviderError } from "./provider-error.ts";

/** What the journal adds up to, in memory. Only `apply` changes it. */
export interface ProviderState {
  readonly intents: Map<string, PaymentIntent>;
  readonly answers: Map<string, StoredAnswer>;
  /** Keys whose first attempt was failed on purpose (`tok_error`). */
  readonly failedOnce: Set<string>;
}

/** Enough for any load test here (about 1 GB), and an end to the memory all the same. */
const MAX_INTENTS = 500_000;

export function emptyState(): ProviderState {
  return { intents: new Map(), answers: new Map(), failedOnce: new Set() };
}

export function apply(state: ProviderState, entry: JournalEntry): void {
  const { payment_intent: intent, idempotency } = entry;
  if (intent !== undefined) state.intents.set(intent.id, intent);
  if (idempotency === undefined) return;
  if (entry.type === "request.failed") state.failedOnce.add(idempotency.key);
  else state.answers.set(idempotency.key, idempotency);
}

export function requireIntent(
  state: ProviderState,
  id: string,
  param = "intent",
): PaymentIntent {
  const intent = state.intents.get(id);
  if (intent === undefined) throw noSuch("payment_intent", id, param);
  return intent;
}

/** @throws ProviderError when no more intents may be made. */
export function requireRoom(state: ProviderState): void {
  if (state.intents.size < MAX_INTENTS) return;
  throw new ProviderError({
    status: 429,
    type: "rate_limit_error",
    code: "rate_limit",
    message: `This provider holds at most ${MAX_INTENTS} payment intents.`,
  });
}

/** A page of the intents that were made in a span of seconds, newest first, after the one named. */
export function listByTime(
  state: ProviderState,
  span: { readonly from: number; readonly to: number },
  after: string | undefined,
  limit: number,
): { readonly data: PaymentIntent[]; readonly hasMore: boolean } {
  if (after !== undefined) requireIntent(state, after, "starting_after");
  const made = [...state.intents.values()]
    .filter(({ created }) => created >= span.from && created < span.to)
    .reverse();
  const begin =
    after === undefined ? 0 : made.findIndex(({ id }) => id === after) + 1;
  const data = made.slice(begin, begin + limit);
  return { data, hasMore: begin + limit < made.length };
}

/** The intents whose metadata holds every one of these pairs, newest first, at most `limit`. */
export function searchByMetadata(
  state: ProviderState,
  wanted: ReadonlyMap<string, string>,
  limit: number,
): PaymentIntent[] {
  const found: PaymentIntent[] = [];
  for (const intent of state.intents.values()) {
    const matches = [...wanted].every(
      ([key, value]) => intent.metadata[key] === value,
    );
    if (matches) found.push(intent);
  }
  return found.reverse().slice(0, limit);
}
