import { DomainError } from "../../platform/runtime/errors.ts";

/** A request that its caller named, so that it takes effect once (AIP-155). */
export interface NamedRequest {
  readonly tenant: string;
  readonly method: string;
  readonly id: string;
  /** SHA-256 of what the request asks for. */
  readonly hash: Buffer;
}

export function requestIdReused(id: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "REQUEST_ID_REUSED",
    message: `Request id ${id} was used for another request.`,
    metadata: { request_id: id },
    field: "request_id",
  });
}
