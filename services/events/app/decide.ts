import { createHash } from "node:crypto";
import type { Transaction } from "../../platform/data/transaction.ts";
import {
  type AuditAction,
  requestIdReused,
  type WholeDeadLetter,
} from "../domain/dead-letter.ts";
import { insertAuditRecord } from "../store/audit-records.ts";
import { claimRequest, findRequest } from "../store/requests.ts";

/** Who asks for a decision, and why. */
export interface Decision {
  readonly actor: string;
  readonly actorTenant: string;
  readonly reason: string;
  readonly requestId: string | undefined;
}

export interface DecideDeps {
  readonly newId: () => string;
  readonly now: () => Date;
}

/**
 * Whether this transaction is the one in which the request takes effect. If not, an earlier one of the same id and
 * content did, and `answer` is what that one kept.
 *
 * @throws DomainError REQUEST_ID_REUSED when the id was used for another content.
 */
export async function takesEffect(
  deps: DecideDeps,
  tx: Transaction,
  requestId: string | undefined,
  content: readonly unknown[],
): Promise<{ readonly first: true } | { first: false; answer: unknown }> {
  if (requestId === undefined) return { first: true };
  const hash = sha256(JSON.stringify(content));
  if (await claimRequest(tx, requestId, hash, deps.now())) {
    return { first: true };
  }
  const before = await findRequest(tx, requestId);
  if (!before?.hash.equals(hash)) throw requestIdReused(requestId);
  return { first: false, answer: before.answer };
}

/** Writes down what is decided about a dead letter. */
export function audit(
  deps: DecideDeps,
  tx: Transaction,
  letter: WholeDeadLetter,
  decision: Decision & {
    readonly action: AuditAction;
    readonly payloadAfter?: Uint8Array;
  },
): Promise<void> {
  const { payloadAfter, ...decided } = decision;
  return insertAuditRecord(tx, {
    ...decided,
    id: deps.newId(),
    deadLetter: letter.id,
    payloadBefore: sha256(letter.content.payload),
    payloadAfter: payloadAfter && sha256(payloadAfter),
    at: deps.now(),
  });
}

export function sha256(content: string | Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}
