/** The canonical codes that a domain may answer with, as `google.rpc.Code` names them, in lower case. */
export type ErrorCode =
  | "invalid_argument"
  | "not_found"
  | "already_exists"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unavailable"
  | "resource_exhausted"
  | "permission_denied"
  | "unauthenticated"
  | "deadline_exceeded"
  | "internal";

/** What a {@link DomainError} is made of. */
export interface DomainErrorInit {
  readonly code: ErrorCode;
  /** UPPER_SNAKE_CASE, a name of the package's `ErrorReason` enum without its prefix (AIP-193). */
  readonly reason: string;
  /** A sentence for the developer on the other side. It names the thing and the rule, never a secret. */
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** The request field that is at fault, as a path such as `order.lines[0].sku`. */
  readonly field?: string;
  /** When trying again may help, in milliseconds from now. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/**
 * A refusal that the caller is meant to see. Whatever else is thrown is a fault of ours and reaches nobody but the log.
 * The platform answers it as a status with `google.rpc.ErrorInfo` and the details that its other fields call for.
 */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly code: ErrorCode;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(init: DomainErrorInit) {
    // What refuses a flood has to be cheap, and nobody reads where it was made: a stack costs 20 us.
    const limit = Error.stackTraceLimit;
    if (init.code === "resource_exhausted") Error.stackTraceLimit = 0;
    super(init.message, { cause: init.cause });
    Error.stackTraceLimit = limit;
    this.code = init.code;
    this.reason = init.reason;
    this.metadata = init.metadata ?? {};
    this.field = init.field;
    this.retryAfterMs = init.retryAfterMs;
  }
}
