import type { Database } from "../../platform/data/database.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import { MAX_BATCH_BYTES } from "../../platform/events/split-records.ts";
import {
  deadLetterNotFound,
  requireSendable,
  requirePending,
  type WholeDeadLetter,
} from "../domain/dead-letter.ts";
import { beginRedrive, findLetter } from "../store/dead-letters.ts";
import {
  audit,
  type DecideDeps,
  type Decision,
  sha256,
  takesEffect,
} from "./decide.ts";
import type { PayloadContracts } from "./payload-contracts.ts";

export interface RedriveDeps extends DecideDeps {
  readonly db: Database;
  readonly contracts: PayloadContracts;
  /** Sends what is decided now. */
  readonly sender: { wake(): void };
}

/** What to send instead of the payload as it is. */
export type Edit =
  | { readonly kind: "bytes"; readonly payload: Uint8Array }
  | { readonly kind: "json"; readonly json: string };

export interface RedriveDeadLetter extends Decision {
  readonly id: string;
  readonly etag: string;
  readonly edit: Edit | undefined;
}

/**
 * Decides to send a dead letter back to its group. It is sent after the commit, by this process or another.
 *
 * @throws DomainError DEAD_LETTER_NOT_FOUND, DEAD_LETTER_NOT_PENDING, ETAG_MISMATCH, REQUEST_ID_REUSED, or why the edit is refused.
 */
export function redriveDeadLetter(
  deps: RedriveDeps,
  command: RedriveDeadLetter,
): Promise<WholeDeadLetter> {
  return deps.db.transaction(async (tx) => {
    const letter = await findLetter(tx, command.id, "for update");
    if (letter === undefined) throw deadLetterNotFound(command.id);
    const content = ["redrive", command.id, command.etag, command.reason];
    const edit = command.edit;
    const { first } = await takesEffect(deps, tx, command.requestId, [
      ...content,
      edit === undefined
        ? ""
        : sha256(edit.kind === "json" ? edit.json : edit.payload).toString(
            "hex",
          ),
    ]);
    if (first) {
      requirePending(letter, command.etag);
      await redrive(deps, tx, letter, command, edited(deps, letter, edit));
    }
    return (await findLetter(tx, command.id)) ?? letter;
  });
}

/** Stores and notes the decision; `editedPayload` has been checked. */
export async function redrive(
  deps: Omit<RedriveDeps, "db" | "contracts">,
  tx: Transaction,
  letter: WholeDeadLetter,
  decision: Decision,
  editedPayload?: Uint8Array,
): Promise<void> {
  await beginRedrive(tx, letter.id, {
    id: deps.newId(),
    ...(editedPayload && { editedPayload }),
  });
  const { actor, actorTenant, reason, requestId } = decision;
  await audit(deps, tx, letter, {
    actor,
    actorTenant,
    reason,
    requestId,
    action: editedPayload === undefined ? "redrive" : "redrive_edited",
    payloadAfter: editedPayload ?? letter.content.payload,
  });
  tx.onCommit(() => deps.sender.wake());
}

function edited(
  { contracts }: RedriveDeps,
  { eventType, content }: WholeDeadLetter,
  edit: Edit | undefined,
): Uint8Array | undefined {
  if (edit === undefined) return undefined;
  const payload =
    edit.kind === "bytes"
      ? edit.payload
      : contracts.fromJson(eventType, edit.json, content.payload);
  requireSendable(eventType, payload, MAX_BATCH_BYTES);
  contracts.check(eventType, payload);
  return payload;
}
