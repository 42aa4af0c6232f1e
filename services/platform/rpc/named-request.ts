import {
  create,
  toBinary,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Executor } from "../data/executor.ts";
import {
  answerKey,
  holdNewKey,
  insertAnswer,
  keepsKey,
  type RequestKey,
} from "../data/idempotency-keys.ts";
import type { AnswerBatcher } from "./answer-batch.ts";
import { keyRow, type KeyRow } from "../data/key-rows.ts";

/** The request that a handler serves, where its caller named it. */
export interface NamedRequest {
  /** An earlier attempt was cut off: look for what it left, and go on from there. */
  readonly isResumed: boolean;
  /**
   * Holds the key in the handler's transaction, where the answer comes later. Call it before any effect: it waits for
   * another request of the same name, and throws what the platform answers for it where that one was first.
   */
  hold(tx: Executor): Promise<void>;
  /** Stores the response together with its effect, and throws as `hold` does. */
  answer(tx: Executor, response: MessageInitShape<DescMessage>): Promise<void>;
  /**
   * As `hold`, or `answer` where the response is given, for a batch: the row that its statement inserts together with the
   * effect. Undefined where an earlier attempt held the key: that takes a transaction.
   */
  newRow(response?: MessageInitShape<DescMessage>): KeyRow | undefined;
  /** The batch has inserted the row. */
  isTaken(row: KeyRow): void;
}

export const namedKey = createContextKey<NamedRequest | undefined>(undefined, {
  description: "weft: named request",
});

/** The request that a handler serves; undefined where its caller did not name it. */
export function namedRequestOf(
  context: HandlerContext,
): NamedRequest | undefined {
  return context.values.get(namedKey);
}

/** The key is known: another request of the same name was faster. */
export class KeyTaken extends Error {
  override readonly name = "KeyTaken";
}

export interface Hold {
  readonly named: NamedRequest;
  /** Undefined while nothing is held. */
  readonly epoch: number | undefined;
  readonly isAnswered: boolean;
  /** Stores the response, where the handler has not done so. Throws KeyTaken where the key is another one's by now. */
  answer(response: MessageInitShape<DescMessage>): Promise<void>;
}

/** What a handler does about its key, from this epoch on; undefined where nothing is held yet. */
export function holdOf(
  { method, context, options, answers }: CallOfMethod,
  request: RequestKey,
  startEpoch: number | undefined,
): Hold {
  let epoch = startEpoch;
  let isAnswered = false;
  const answerOf = (response: MessageInitShape<DescMessage>) => ({
    status: 0,
    answer: toBinary(method.output, create(method.output, response)),
  });
  const named: NamedRequest = {
    isResumed: (startEpoch ?? 1) > 1,
    async hold(tx) {
      const isHeld =
        startEpoch === undefined
          ? await holdNewKey(tx, request, leaseMsOf(context))
          : await keepsKey(tx, request, startEpoch);
      if (!isHeld) throw new KeyTaken();
      epoch = startEpoch ?? 1;
    },
    async answer(tx, response) {
      const answer = answerOf(response);
      isAnswered =
        epoch === undefined
          ? await insertAnswer(tx, request, answer)
          : await answerKey(tx, request, epoch, answer);
      if (!isAnswered) throw new KeyTaken();
    },
    newRow(response) {
      if (startEpoch !== undefined) return undefined;
      return response === undefined
        ? keyRow(request, { leaseMs: leaseMsOf(context) })
        : keyRow(request, answerOf(response));
    },
    isTaken(row) {
      epoch = row.epoch;
      isAnswered = row.status !== undefined;
    },
  };
  return {
    named,
    async answer(response) {
      if (epoch === undefined) return named.answer(options.db, response);
      const answer = answerOf(response);
      isAnswered = await answers.submit({ request, epoch, answer });
      if (!isAnswered) throw new KeyTaken();
    },
    get epoch() {
      return epoch;
    },
    get isAnswered() {
      return isAnswered;
    },
  };
}

interface CallOfMethod {
  readonly method: DescMethod;
  readonly context: HandlerContext;
  readonly options: { readonly db: Executor };
  readonly answers: AnswerBatcher;
}

/** Beyond the call's deadline, so that a lease outlives whoever works under it. */
const leaseMarginMs = 1_000;
/** How long a key is held for a call. */
export function leaseMsOf(context: HandlerContext): number {
  return Math.max(0, context.timeoutMs() ?? 0) + leaseMarginMs;
}
