import pg from "pg";
import { DomainError } from "../runtime/errors.ts";

/** Whether a unique constraint (that one, when named) refused the row. */
export function isUniqueViolation(
  error: unknown,
  constraint?: string,
): boolean {
  const cause = postgresCause(error);
  return (
    cause?.code === "23505" &&
    (constraint === undefined || cause.constraint === constraint)
  );
}

/** Whether Postgres asks to run the whole transaction again. */
export function isSerializationFailure(error: unknown): boolean {
  const code = postgresCause(error)?.code;
  return code === "40001" || code === "40P01";
}

/** Whether Postgres failed with this SQLSTATE. */
export function hasSqlState(error: unknown, state: string): boolean {
  return postgresCause(error)?.code === state;
}

/** Whether the connection is gone or unfit, so that its state is unknown. */
export function isConnectionLost(error: unknown): boolean {
  return causes(error).some(
    (cause) =>
      isReadTimeout(cause) ||
      hasConnectionSqlState(cause) ||
      hasSocketCode(cause) ||
      /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|Client was closed)/.test(
        cause.message,
      ),
  );
}

/** pg stopped waiting for an answer (`query_timeout`). */
export function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}

/** Gives a failure of the database the code a caller can act on; anything else passes through. */
export function toDatabaseError(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  if (hasMessage(error, "timeout exceeded when trying to connect")) {
    return poolExhausted("no database connection became free in time", error);
  }
  if (isConnectionLost(error)) {
    return new DomainError({
      code: "unavailable",
      reason: "DATABASE_UNAVAILABLE",
      message: "the database cannot be reached",
      cause: error,
    });
  }
  if (postgresCause(error)?.code === "57014") {
    return new DomainError({
      code: "deadline_exceeded",
      reason: "STATEMENT_TIMEOUT",
      message: "the database took too long",
      cause: error,
    });
  }
  return error;
}

export function poolExhausted(message: string, cause?: unknown): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "DATABASE_POOL_EXHAUSTED",
    message,
    cause,
  });
}

/** The connection died during a commit: it may or may not have happened. Safe to try again only with a request id. */
export function commitUnknown(cause: unknown): DomainError {
  return new DomainError({
    code: "unavailable",
    reason: "COMMIT_OUTCOME_UNKNOWN",
    message: "the connection was lost during the commit",
    cause,
  });
}

export function transactionOver(): Error {
  return new Error(
    "query on a transaction that is over: a query inside it was not awaited",
  );
}

// Class 08 is connection exceptions; 57P0x is a server that shuts down,
// crashed or starts; 53300 is too many connections; 25P03 is a transaction
// that the server ended because it idled.
function hasConnectionSqlState(error: Error): boolean {
  return (
    error instanceof pg.DatabaseError &&
    /^(08...|57P0[1235]|53300|25P03)$/.test(error.code ?? "")
  );
}

function hasSocketCode(error: Error): boolean {
  return (
    "code" in error &&
    typeof error.code === "string" &&
    /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)$/.test(
      error.code,
    )
  );
}

function hasMessage(error: unknown, message: string): boolean {
  return error instanceof Error && error.message === message;
}

function postgresCause(error: unknown): pg.DatabaseError | undefined {
  return causes(error).find((cause) => cause instanceof pg.DatabaseError);
}

/** The error and what it wraps, outermost first; bounded, as a cause can be a cycle. */
function causes(error: unknown): Error[] {
  const found: Error[] = [];
  let current = error;
  while (current instanceof Error && found.length < 8) {
    found.push(current);
    current = current.cause;
  }
  return found;
}
