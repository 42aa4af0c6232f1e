import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../../gen/ts/google/rpc/error_details_pb.ts";
import { DomainError } from "../../../platform/runtime/errors.ts";

/** Spark's name of an error, such as `INVALID_HANDLE.OPERATION_NOT_FOUND`; empty where it has none. */
export function errorClassOf(error: unknown): string {
  return (
    ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.metadata[
      "errorClass"
    ] ?? ""
  );
}

/** Whether the connection failed, and not what went over it. */
export function isBroken(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  const isAnswer = errorClassOf(error) !== "";
  return !isAnswer && brokenCodes.has(code);
}

const brokenCodes: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  // A stream that the server's end tore.
  Code.Internal,
  Code.Unknown,
  Code.Canceled,
]);

/** Whether Spark knows nothing of an operation or its session, or not any more: it was restarted, or gave it up. */
export function isForgotten(error: unknown): boolean {
  const name = errorClassOf(error);
  return (
    name.startsWith("INVALID_HANDLE.") &&
    name !== "INVALID_HANDLE.OPERATION_ALREADY_EXISTS"
  );
}

/** A refusal of Spark's, as the job's failure. Its text may tell of the cluster: that is for the log. */
export function sparkFailure(cause: unknown): DomainError {
  const error = ConnectError.from(cause);
  const name = errorClassOf(error);
  const metadata = { spark_error: name };
  const fail = (reason: string, message: string) =>
    new DomainError({
      code: "failed_precondition",
      reason,
      message,
      metadata,
      cause,
    });
  if (name === "OPERATION_CANCELED") {
    return fail(
      "SPARK_FAILED",
      "Spark was told, but not by us, to stop the job",
    );
  }
  if (name === "PATH_NOT_FOUND") {
    return fail("INPUT_MISSING", "Spark does not find an input of the job");
  }
  if (
    error.code === Code.Unauthenticated ||
    error.code === Code.PermissionDenied
  ) {
    return fail("SPARK_UNAVAILABLE", "Spark refuses the service itself");
  }
  return fail(
    "SPARK_FAILED",
    `Spark gave the job up (${name || Code[error.code]}); the log of the service knows more`,
  );
}
