import { z } from "zod";
import type { DeadLetterFilter } from "../domain/dead-letter.ts";
import { lockPending } from "../store/dead-letters.ts";
import { keepAnswer } from "../store/requests.ts";
import { type Decision, takesEffect } from "./decide.ts";
import { redrive, type RedriveDeps } from "./redrive-dead-letter.ts";

export interface BatchRedrive extends Decision {
  readonly filter: DeadLetterFilter;
  readonly limit: number;
}

const answerShape = z.object({ redriven: z.number(), more: z.boolean() });

export type BatchRedriven = z.infer<typeof answerShape>;

/**
 * Redrives what the filter finds, all at once or not at all. The same request again answers what the first one did.
 *
 * @throws DomainError REQUEST_ID_REUSED.
 */
export function batchRedrive(
  deps: RedriveDeps,
  { filter, limit, ...decision }: BatchRedrive,
): Promise<BatchRedriven> {
  const { requestId } = decision;
  const content = ["batch", filter, limit, decision.reason];
  return deps.db.transaction(async (tx) => {
    const effect = await takesEffect(deps, tx, requestId, content);
    if (!effect.first) return answerShape.parse(effect.answer);
    // One more than asked for tells whether there are more.
    const found = await lockPending(tx, filter, limit + 1);
    const letters = found.slice(0, limit);
    for (const letter of letters) await redrive(deps, tx, letter, decision);
    const answer = {
      redriven: letters.length,
      more: found.length > limit,
    };
    if (requestId !== undefined) await keepAnswer(tx, requestId, answer);
    return answer;
  });
}
