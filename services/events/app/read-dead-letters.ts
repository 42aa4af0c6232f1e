import type { Executor } from "../../platform/data/executor.ts";
import type { PageTokens } from "../../platform/rpc/page-token.ts";
import {
  type AuditRecord,
  type DeadLetter,
  type DeadLetterFilter,
  deadLetterNotFound,
  type WholeDeadLetter,
} from "../domain/dead-letter.ts";
import { listAuditRecords } from "../store/audit-records.ts";
import { findLetter, listLetters } from "../store/dead-letters.ts";

export interface ReadDeps {
  readonly db: Executor;
  readonly pageTokens: PageTokens;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

interface PageRequest {
  readonly size: number;
  readonly token: string;
}

/** @throws DomainError DEAD_LETTER_NOT_FOUND. */
export async function getDeadLetter(
  deps: ReadDeps,
  id: string,
): Promise<WholeDeadLetter> {
  const letter = await findLetter(deps.db, id);
  if (letter === undefined) throw deadLetterNotFound(id);
  return letter;
}

/** A page of dead letters, the last failed first. @throws DomainError PAGE_TOKEN_INVALID. */
export function listDeadLetters(
  deps: ReadDeps,
  filter: DeadLetterFilter,
  page: PageRequest,
): Promise<Page<DeadLetter>> {
  return readPage(deps, ["dead letters", filter], page, (after, limit) =>
    listLetters(
      deps.db,
      filter,
      after && { lastFailureAt: after.time, id: after.id },
      limit,
    ),
  );
}

/** A page of decisions, the last first. @throws DomainError PAGE_TOKEN_INVALID. */
export function listAudit(
  deps: ReadDeps,
  deadLetter: string | undefined,
  page: PageRequest,
): Promise<Page<AuditRecord>> {
  return readPage(deps, ["audit", deadLetter], page, (after, limit) =>
    listAuditRecords(
      deps.db,
      deadLetter,
      after && { at: after.time, id: after.id },
      limit,
    ),
  );
}

/** A cursor holds the time as Postgres writes it: a Date would cut its microseconds, and skip or repeat items. */
async function readPage<Item extends { id: string; cursor: string }>(
  { pageTokens }: ReadDeps,
  query: unknown,
  { size, token }: PageRequest,
  read: (
    after: { time: string; id: string } | undefined,
    limit: number,
  ) => Promise<readonly Item[]>,
): Promise<Page<Item>> {
  const [time = "", id = ""] = token ? pageTokens.decode(query, token) : [];
  // One more than asked for tells whether another page follows.
  const found = await read(token ? { time, id } : undefined, size + 1);
  const items = found.slice(0, size);
  const last = items.at(-1);
  return {
    items,
    nextPageToken:
      last && found.length > size
        ? pageTokens.encode(query, [last.cursor, last.id])
        : "",
  };
}
