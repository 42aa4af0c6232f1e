import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { refusedBy } from "../domain/order-failures.ts";
import type { Vote } from "../domain/two-phase-commit.ts";

/**
 * What a failed call to a participant says about its step. Codes that a participant answers with on purpose are refusals
 * for good; all others leave open whether the step happened.
 */
export function outcomeOfError(error: unknown): Vote {
  if (!(error instanceof ConnectError) || !refusals.has(error.code)) {
    return { kind: "unanswered", cause: error };
  }
  const info = error.findDetails(ErrorInfoSchema)[0];
  const reason = info?.reason ?? "";
  const metadata = { ...info?.metadata };
  return {
    kind: "refused",
    failure: refusedBy(reason, error.rawMessage, metadata),
  };
}

const refusals: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.FailedPrecondition,
  Code.OutOfRange,
]);
