import {
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.ts";
import type { StoredAnswer } from "../data/idempotency-keys.ts";
import { DomainError, type ErrorCode } from "../runtime/errors.ts";
import { fromStatus, toStatus } from "./grpc-status.ts";
import { domainStatus } from "./status.ts";

/** Says of a response that it was given before. */
export const replayedHeader = "idempotency-replayed";

/**
 * Gives the first answer again, flagged.
 *
 * @throws ConnectError where it was a refusal.
 */
export function replay(
  method: DescMethod,
  context: HandlerContext,
  stored: StoredAnswer,
): MessageShape<DescMessage> {
  if (stored.status === 0) {
    context.responseHeader.set(replayedHeader, "true");
    return fromBinary(method.output, stored.answer);
  }
  const error = fromStatus(fromBinary(StatusSchema, stored.answer));
  error.metadata.set(replayedHeader, "true");
  throw error;
}

/** The refusals that the same request will always get; a state or a shortage that may pass by itself is none. */
const finalCodes: ReadonlySet<ErrorCode> = new Set([
  "invalid_argument",
  "not_found",
  "already_exists",
  "failed_precondition",
  "out_of_range",
  "permission_denied",
]);

/** A refusal as it is stored; undefined for a failure that may pass. */
export function finalRefusal(error: unknown): StoredAnswer | undefined {
  if (!(error instanceof DomainError) || !finalCodes.has(error.code)) {
    return undefined;
  }
  const status = domainStatus(error);
  return {
    status: status.code as number,
    answer: toBinary(StatusSchema, toStatus(status)),
  };
}
