import type { Database } from "../../platform/data/database.ts";
import {
  deadLetterNotFound,
  requirePending,
  type WholeDeadLetter,
} from "../domain/dead-letter.ts";
import { discardLetter, findLetter } from "../store/dead-letters.ts";
import {
  audit,
  type DecideDeps,
  type Decision,
  takesEffect,
} from "./decide.ts";

export interface DiscardDeps extends DecideDeps {
  readonly db: Database;
}

export interface DiscardDeadLetter extends Decision {
  readonly id: string;
  readonly etag: string;
}

/**
 * Gives a dead letter up for good.
 *
 * @throws DomainError DEAD_LETTER_NOT_FOUND, DEAD_LETTER_NOT_PENDING, ETAG_MISMATCH, REQUEST_ID_REUSED.
 */
export function discardDeadLetter(
  deps: DiscardDeps,
  command: DiscardDeadLetter,
): Promise<WholeDeadLetter> {
  const { id, etag, ...decision } = command;
  return deps.db.transaction(async (tx) => {
    const letter = await findLetter(tx, id, "for update");
    if (letter === undefined) throw deadLetterNotFound(id);
    const content = ["discard", id, etag, decision.reason];
    const { first } = await takesEffect(deps, tx, decision.requestId, content);
    if (first) {
      requirePending(letter, etag);
      await discardLetter(tx, id);
      await audit(deps, tx, letter, { ...decision, action: "discard" });
    }
    return (await findLetter(tx, id)) ?? letter;
  });
}
