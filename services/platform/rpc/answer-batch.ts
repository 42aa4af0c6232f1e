import { createBatcher, type Batcher } from "../data/batcher.ts";
import type { Executor } from "../data/executor.ts";
import {
  answerKey,
  type RequestKey,
  type StoredAnswer,
} from "../data/idempotency-keys.ts";
import { hexBytes, recordSet } from "../data/record-set.ts";
import type { Logger } from "../runtime/logger.ts";

/** The answer of whoever holds the key in this epoch. */
export interface HeldAnswer {
  readonly request: RequestKey;
  readonly epoch: number;
  readonly answer: StoredAnswer;
}

/** Stores answers, those that come at the same time by one statement. False where another one took the key over. */
export type AnswerBatcher = Batcher<HeldAnswer, boolean>;

export function createAnswerBatcher(deps: {
  readonly db: Executor;
  readonly logger: Logger;
}): AnswerBatcher {
  return createBatcher<HeldAnswer, boolean>({
    name: "store answer",
    logger: deps.logger,
    keyOf: ({ request }) =>
      `${request.tenant}/${request.operation}/${request.key}`,
    async together(items) {
      const stored = await answerKeysTogether(deps.db, items);
      return items.map((_, n) => stored.has(n));
    },
    alone: ({ request, epoch, answer }) =>
      answerKey(deps.db, request, epoch, answer),
  });
}

async function answerKeysTogether(
  db: Executor,
  items: readonly HeldAnswer[],
): Promise<ReadonlySet<number>> {
  const answers = items.map(({ request, epoch, answer }, n) => ({
    n,
    tenant: request.tenant,
    operation: request.operation,
    key: request.key,
    epoch,
    status: answer.status,
    answer: hexBytes(answer.answer),
  }));
  const { rows } = await db.query<{ n: number }>(
    `update idempotency_keys as known
     set status = given.status,
         answer = given.answer,
         leased_until = null
     from (
       select n, tenant, operation, key, epoch, status, answer
       from json_to_recordset($1) as answer (
         n integer, tenant text, operation text, key uuid, epoch integer, status smallint, answer bytea
       )
       limit $2
     ) as given
     where known.tenant = given.tenant
       and known.operation = given.operation
       and known.key = given.key
       and known.epoch = given.epoch
       and known.status is null
     returning given.n`,
    [recordSet(answers), items.length],
  );
  return new Set(rows.map(({ n }) => n));
}
