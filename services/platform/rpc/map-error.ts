import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError } from "../runtime/errors.ts";
import { domainStatus, reasonOf, statusError } from "./status.ts";

/** An error as the client sees it, and whether the log should know of it. */
export interface MappedError {
  readonly error: ConnectError;
  /** True where the fault is ours: the client learns nothing, the log everything. */
  readonly isFault: boolean;
}

/**
 * Turns whatever a handler threw into the error that the client sees.
 *
 * A refusal (DomainError) is told in full. The end of the call itself, by its deadline or its caller, is told as such.
 * A failure of a service below is told as UNAVAILABLE, without its text. Anything else is `internal`, with no text.
 */
export function mapError(thrown: unknown, signal: AbortSignal): MappedError {
  if (thrown instanceof DomainError) {
    return { error: domainStatus(thrown), isFault: thrown.code === "internal" };
  }
  if (signal.aborted) {
    return { error: endOfCall(signal), isFault: false };
  }
  if (thrown instanceof ConnectError) {
    return mapConnectError(thrown);
  }
  return { error: internal(), isFault: true };
}

/** The status of a call that ended early, by its signal's reason: DEADLINE_EXCEEDED, CANCELLED, or as it says. */
export function endOfCall(signal: AbortSignal): ConnectError {
  const reason: unknown = signal.reason;
  if (reason instanceof ConnectError && reasonOf(reason) === "DRAINING") {
    return reason;
  }
  const code = ConnectError.from(reason).code;
  if (code === Code.DeadlineExceeded || isTimeout(reason)) {
    return statusError({
      code: Code.DeadlineExceeded,
      reason: "DEADLINE_EXCEEDED",
      message: "the deadline passed before the answer",
    });
  }
  return statusError({
    code: Code.Canceled,
    reason: "CANCELLED",
    message: "the call was cancelled",
  });
}

/** Errors made by the platform carry an ErrorInfo and pass; those of a service below become its absence, or a fault. */
function mapConnectError(thrown: ConnectError): MappedError {
  if (!thrown.isWireError && reasonOf(thrown) !== undefined) {
    return { error: thrown, isFault: thrown.code === Code.Internal };
  }
  if (dependencyCodes.has(thrown.code)) {
    return {
      error: statusError({
        code: Code.Unavailable,
        reason: "DEPENDENCY_UNAVAILABLE",
        message: "a service that this one needs does not answer",
        retryAfterMs: 1_000,
      }),
      isFault: true,
    };
  }
  return { error: internal(), isFault: true };
}

const dependencyCodes: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Canceled,
]);

function internal(): ConnectError {
  return statusError({
    code: Code.Internal,
    reason: "INTERNAL",
    message: "an internal error; the log of this service knows more",
  });
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}
