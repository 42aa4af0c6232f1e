import type { Database } from "../../platform/data/database.ts";
import type { BuriedRecord } from "../../platform/events/dead-letter.ts";
import { receiveLetter } from "../store/dead-letters.ts";

export interface ReceiveDeps {
  readonly db: Database;
  readonly newId: () => string;
}

/** Stores dead letters in one transaction. Answers those that have to be decided about: not those buried twice. */
export function receiveDeadLetters(
  deps: ReceiveDeps,
  letters: readonly BuriedRecord[],
): Promise<BuriedRecord[]> {
  return deps.db.transaction(async (tx) => {
    const arrived: BuriedRecord[] = [];
    for (const letter of letters) {
      if (await receiveLetter(tx, deps.newId(), letter)) arrived.push(letter);
    }
    return arrived;
  });
}
