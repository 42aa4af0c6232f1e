import { setTimeout as delay } from "node:timers/promises";
import { fingerprintOf, replayOf, type KeysInFlight } from "./idempotency.ts";
import type { Journal, JournalEntry } from "./journal.ts";
import { prepare, type Effect, type Prepared } from "./operations.ts";
import { noSuch, ProviderError } from "./provider-error.ts";
import { apply, type ProviderState } from "./provider-state.ts";
import type { Webhooks } from "./webhooks.ts";
import { tokenBehaviour, type TokenBehaviour } from "./test-tokens.ts";

export interface ProviderDeps {
  readonly journal: Journal;
  readonly state: ProviderState;
  readonly inFlight: KeysInFlight;
  readonly now: () => Date;
  readonly webhooks: Webhooks;
  /** How long a late answer is held back. */
  readonly lateMs: number;
}

export interface PostRequest {
  readonly path: string;
  readonly body: string;
  readonly key: string | undefined;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly replayed: boolean;
}

/**
 * Does one POST at most once per key, durably before it answers.
 *
 * @throws ProviderError for a refusal that is not stored; the signal's reason when the client has gone.
 */
export async function answerPost(
  deps: ProviderDeps,
  request: PostRequest,
): Promise<Answer> {
  const fingerprint = fingerprintOf("POST", request.path, request.body);
  const stored =
    request.key === undefined
      ? undefined
      : replayOf(deps.state.answers, deps.inFlight, request.key, fingerprint);
  const form = new URLSearchParams(request.body);
  const prepared = prepare(deps.state, request.path, form);
  if (prepared === undefined) throw noSuch("route", request.path, "path");
  const behaviour = tokenBehaviour(prepared.token);
  if (behaviour === undefined) {
    throw noSuch("PaymentMethod", prepared.token, "payment_method", 400);
  }

  if (stored !== undefined) {
    await deps.journal.flushed();
    await holdBack(deps, behaviour, prepared, false, request.signal);
    return { status: stored.status, body: stored.body, replayed: true };
  }
  const effect = await performOnce(deps, request, fingerprint, prepared);
  await holdBack(deps, behaviour, prepared, true, request.signal);
  return { status: effect.status, body: effect.body, replayed: false };
}

async function performOnce(
  deps: ProviderDeps,
  request: PostRequest,
  fingerprint: string,
  prepared: Prepared,
): Promise<Effect> {
  const { key } = request;
  if (key !== undefined) deps.inFlight.add(key);
  try {
    const behaviour = tokenBehaviour(prepared.token) ?? {};
    await misbehave(deps, behaviour, prepared, request, fingerprint);
    const effect = prepared.perform(behaviour, deps.now());
    const entry = record(deps, effect, key, fingerprint);
    await deps.journal.flushed();
    const announced = deps.webhooks.announce(entry);
    if (behaviour.webhookFirst) await announced;
    return effect;
  } finally {
    if (key !== undefined) deps.inFlight.delete(key);
  }
}

function record(
  deps: ProviderDeps,
  effect: Effect,
  key: string | undefined,
  fingerprint: string,
): JournalEntry {
  const { type, intent, refund, status, body } = effect;
  const entry = {
    at: deps.now().toISOString(),
    type,
    payment_intent: intent,
    ...(refund === undefined ? {} : { refund }),
    ...(key === undefined
      ? {}
      : { idempotency: { key, fingerprint, status, body } }),
  };
  deps.journal.append(entry);
  apply(deps.state, entry);
  return entry;
}

/** What goes wrong, or takes its time, before anything is done. */
async function misbehave(
  deps: ProviderDeps,
  behaviour: TokenBehaviour,
  { operation }: Prepared,
  request: PostRequest,
  fingerprint: string,
): Promise<void> {
  if (operation !== "authorize") return;
  const { signal } = request;
  if (behaviour.silent) await silence(signal);
  if (behaviour.workMs !== undefined) {
    // The work goes on when the client has gone, as at the real one.
    await delay(behaviour.workMs);
  }
  if (behaviour.failsOnce) await failFirst(deps, request, fingerprint);
}

async function failFirst(
  deps: ProviderDeps,
  { key = "" }: PostRequest,
  fingerprint: string,
): Promise<void> {
  if (deps.state.failedOnce.has(key)) return;
  const error = new ProviderError({
    status: 500,
    type: "api_error",
    code: "internal_error",
    message: "An unexpected error occurred. Nothing was done.",
  });
  const body = error.body();
  const entry = {
    at: deps.now().toISOString(),
    type: "request.failed",
    idempotency: { key, fingerprint, status: error.status, body },
  } as const;
  deps.journal.append(entry);
  apply(deps.state, entry);
  await deps.journal.flushed();
  throw error;
}

async function holdBack(
  deps: ProviderDeps,
  { late }: TokenBehaviour,
  { operation }: Prepared,
  first: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (late === undefined || late.operation !== operation) return;
  if (!first && late.when === "first") return;
  await delay(deps.lateMs, undefined, { signal });
}

/** Never resolves; rejects when the client has gone. */
function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
