import type {
  DescMessage,
  DescMethod,
  MessageInitShape,
} from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { metrics, type Counter } from "@opentelemetry/api";
import type { Database } from "../data/database.ts";
import {
  answerKey,
  findKey,
  holdKey,
  insertAnswer,
  letKeyGo,
  pruneKeys,
  type RequestKey,
  type StoredAnswer,
} from "../data/idempotency-keys.ts";
import { pruneInBatches } from "../events/prune.ts";
import { DomainError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { AnswerBatcher } from "./answer-batch.ts";
import { finalRefusal, replay } from "./first-answer.ts";
import {
  holdOf,
  KeyTaken,
  leaseMsOf,
  namedKey,
  type Hold,
} from "./named-request.ts";

/** How the named requests of a server are answered once. */
export interface OnceOptions {
  /** Its schema holds the keys: `migrate` makes their table. */
  readonly db: Database;
  /**
   * Methods whose handlers put the key into a transaction of their own, by {@link NamedRequest}: one round trip, and
   * nothing is held while they work. All others are held under a lease, in two transactions more.
   */
  readonly joined: readonly DescMethod[];
}

/** How long a name is remembered, from its first use. */
const retentionMs = 7 * 24 * 3_600_000;

/** Forgets the keys of a server's requests a week after their first use, until `stop` aborts. */
export function forgetOldRequests(
  { db }: OnceOptions,
  logger: Logger,
  stop: AbortSignal,
): Promise<void> {
  return pruneInBatches(
    { logger, name: "idempotency_keys" },
    (limit) => pruneKeys(db, retentionMs, limit),
    stop,
  );
}

const maxAttempts = 3;

export interface OnceDeps {
  readonly options: OnceOptions;
  readonly logger: Logger;
  readonly method: DescMethod;
  readonly context: HandlerContext;
  readonly answers: AnswerBatcher;
  /** Throws where the call has ended, so that what a handler answers to nobody is not the first answer. */
  readonly throwIfEnded: () => void;
}

/**
 * Runs a handler once for all requests of one name: the first answer, a success or a final refusal, is stored and given
 * again byte for byte. A failure that may pass is not stored: the next request of the same name goes on where it ended.
 *
 * @throws DomainError REQUEST_ID_REUSED, REQUEST_IN_FLIGHT (with a retry time), or what the handler throws.
 */
export async function runOnce(
  deps: OnceDeps,
  request: RequestKey,
  handler: () => MaybePromise<MessageInitShape<DescMessage>>,
): Promise<MessageInitShape<DescMessage>> {
  const { options, method } = deps;
  const isJoined = options.joined.includes(method);
  let epoch: number | undefined;
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    if (epoch === undefined && (!isJoined || attempt > 1)) {
      const held = await holdOrFind(deps, request);
      if (typeof held !== "number") {
        count("replayed");
        return replay(method, deps.context, held);
      }
      epoch = held;
    }
    const hold = holdOf(deps, request, epoch);
    deps.context.values.set(namedKey, hold.named);
    try {
      const response = await handler();
      if (hold.isAnswered) return response;
      deps.throwIfEnded();
      await hold.answer(response);
      return response;
    } catch (error) {
      if (!(error instanceof KeyTaken)) {
        await settleFailure(deps, request, hold, error);
      }
      // Another one has the key: its answer is the answer.
      epoch = undefined;
    }
  }
  throw requestInFlight(request.key, 0);
}

/** Throws the handler's error, unless it is a refusal that is no longer ours to make. */
async function settleFailure(
  deps: OnceDeps,
  request: RequestKey,
  hold: Hold,
  error: unknown,
): Promise<void> {
  const refusal = finalRefusal(error);
  if (refusal === undefined) {
    await letGo(deps, request, hold.epoch);
    throw error;
  }
  // What was held in the handler's transaction went with it.
  const isStored =
    (hold.epoch !== undefined &&
      (await answerKey(deps.options.db, request, hold.epoch, refusal))) ||
    (await insertAnswer(deps.options.db, request, refusal));
  if (isStored) throw error;
}

type MaybePromise<T> = T | Promise<T>;

/** A new or abandoned key is held now; an answered one has its answer. */
async function holdOrFind(
  { options, context }: OnceDeps,
  request: RequestKey,
): Promise<number | StoredAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    const epoch = await holdKey(options.db, request, leaseMsOf(context));
    if (epoch !== undefined) {
      if (epoch > 1) count("resumed");
      return epoch;
    }
    const known = await findKey(options.db, request);
    if (known !== undefined && !known.hash.equals(request.hash)) {
      count("reused");
      throw requestIdReused(request.key);
    }
    if (known?.kind === "answered") return known;
    // Let go or pruned between the two looks: it may be held now.
    if (attempt < maxAttempts && (known?.leaseMs ?? 0) === 0) continue;
    count("in flight");
    throw requestInFlight(request.key, known?.leaseMs ?? 0);
  }
}

async function letGo(
  { options, logger }: OnceDeps,
  request: RequestKey,
  epoch: number | undefined,
): Promise<void> {
  if (epoch === undefined) return;
  try {
    await letKeyGo(options.db, request, epoch);
  } catch (error) {
    // Its lease runs out by itself.
    logger.warn({ err: error }, "a request's key is not let go");
  }
}

function requestIdReused(key: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "REQUEST_ID_REUSED",
    message: `Request id ${key} was used for another request.`,
    metadata: { request_id: key },
    field: "request_id",
  });
}

const retryAfterMs = 1_000;

function requestInFlight(key: string, leaseMs: number): DomainError {
  return new DomainError({
    code: "aborted",
    reason: "REQUEST_IN_FLIGHT",
    message: `Request id ${key} is being worked on; send it again for its answer.`,
    metadata: { request_id: key },
    retryAfterMs: Math.max(100, Math.min(retryAfterMs, leaseMs)),
  });
}

let counter: Counter | undefined;

function count(outcome: string): void {
  counter ??= metrics
    .getMeter("weft.rpc")
    .createCounter("weft.rpc.named_requests", {
      description: "Requests whose name was known, by what became of them",
      unit: "{request}",
    });
  counter.add(1, { outcome });
}
