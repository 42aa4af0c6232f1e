import { createHash } from "node:crypto";
import type { Executor } from "../../platform/data/executor.ts";
import { type NamedRequest, requestIdReused } from "../domain/request-id.ts";
import { claimRequestId, findRequestHash } from "../store/request-ids.ts";

/**
 * Whether this transaction is the one in which the request takes effect; if not, an earlier one of the same id and
 * content did. Call it before any effect.
 *
 * @throws DomainError REQUEST_ID_REUSED when the id was used for another content.
 */
export async function takesEffect(
  tx: Executor,
  request: NamedRequest,
  at: Date,
): Promise<boolean> {
  if (await claimRequestId(tx, request, at)) return true;
  const hash = await findRequestHash(tx, request);
  if (!hash?.equals(request.hash)) throw requestIdReused(request.id);
  return false;
}

/** A hash of what a request asks for. The order of the values counts. */
export function requestHash(content: readonly (string | bigint)[]): Buffer {
  return createHash("sha256")
    .update(JSON.stringify(content.map(String)))
    .digest();
}
