import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { errorDomain, reasonOf } from "./status.ts";

/**
 * Completes the errors that connect-node makes itself, before a request reaches the middleware: a message that can't be
 * read, or is too large, or compressed in a way nobody knows. They get an ErrorInfo like all others, and binary that
 * can't be read becomes INVALID_ARGUMENT: connect-node answers it as INTERNAL (HTTP 500), as if the fault were ours.
 *
 * It is connect-node's `requestGate`. Handlers abort their context with an error just before they write it, which is the
 * one place where it can be seen.
 */
export async function explainConnectErrors(
  context: HandlerContext,
): Promise<void> {
  context.signal.addEventListener("abort", () => {
    const reason: unknown = context.signal.reason;
    if (reason instanceof ConnectError && reasonOf(reason) === undefined) {
      explainConnectError(reason);
    }
  });
}

/** Completes one such error, and returns it. */
export function explainConnectError(error: ConnectError): ConnectError {
  if (
    error.code === Code.Internal &&
    error.rawMessage.startsWith("parse binary")
  ) {
    // Read-only to clients; it is not written yet.
    (error as { code: Code }).code = Code.InvalidArgument;
  }
  const reason = reasons[error.code] ?? "INTERNAL";
  error.details.push({
    desc: ErrorInfoSchema,
    value: create(ErrorInfoSchema, { reason, domain: errorDomain }),
  });
  return error;
}

const reasons: Readonly<Partial<Record<Code, string>>> = {
  [Code.InvalidArgument]: "MALFORMED_REQUEST",
  [Code.ResourceExhausted]: "MESSAGE_TOO_LARGE",
  [Code.Unimplemented]: "MALFORMED_REQUEST",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.Canceled]: "CANCELLED",
};
