import {
  create,
  type DescMessage,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import type { DomainError } from "../runtime/errors.ts";
import { type ErrorCode } from "../runtime/errors.ts";

/** The domain of every `google.rpc.ErrorInfo` of ours (AIP-193). */
export const errorDomain = "weft.dev";

interface Detail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

/** What a status is made of. */
export interface StatusInit {
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly { field: string; description: string }[];
  readonly retryAfterMs?: number | undefined;
}

/**
 * Makes the error that a client sees: a status with `ErrorInfo`, and `BadRequest`, `RetryInfo` and
 * `PreconditionFailure` where they say something.
 */
export function statusError(init: StatusInit): ConnectError {
  const details = [errorInfo(init)];
  if (init.violations && init.violations.length > 0) {
    details.push({
      desc: BadRequestSchema,
      value: create(BadRequestSchema, {
        fieldViolations: init.violations.map((violation) => ({
          ...violation,
          reason: init.reason,
        })),
      }),
    });
  }
  if (init.retryAfterMs !== undefined) {
    details.push(retryInfo(init.retryAfterMs));
  }
  if (init.code === Code.FailedPrecondition) {
    details.push(preconditionFailure(init));
  }
  return withoutStack(
    () => new ConnectError(init.message, init.code, undefined, details),
  );
}

/** Where an answer to a client was made tells nobody anything, and costs a flood of refusals a few microseconds each. */
function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Turns a refusal of a domain into the error that its caller sees. */
export function domainStatus(error: DomainError): ConnectError {
  return statusError({
    code: codes[error.code],
    reason: error.reason,
    message: error.message,
    metadata: error.metadata,
    violations: error.field
      ? [{ field: error.field, description: error.message }]
      : [],
    retryAfterMs: error.retryAfterMs,
  });
}

/** The reason in an error's `ErrorInfo`, whichever service made it; undefined where it has none. */
export function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

const codes = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  out_of_range: Code.OutOfRange,
  unavailable: Code.Unavailable,
  resource_exhausted: Code.ResourceExhausted,
  permission_denied: Code.PermissionDenied,
  unauthenticated: Code.Unauthenticated,
  deadline_exceeded: Code.DeadlineExceeded,
  internal: Code.Internal,
} as const satisfies Record<ErrorCode, Code>;

function errorInfo(init: StatusInit): Detail {
  return {
    desc: ErrorInfoSchema,
    value: create(ErrorInfoSchema, {
      reason: init.reason,
      domain: errorDomain,
      metadata: { ...init.metadata },
    }),
  };
}

function retryInfo(afterMs: number): Detail {
  return {
    desc: RetryInfoSchema,
    value: create(RetryInfoSchema, {
      retryDelay: {
        seconds: BigInt(Math.floor(afterMs / 1000)),
        nanos: Math.floor(afterMs % 1000) * 1_000_000,
      },
    }),
  };
}

function preconditionFailure(init: StatusInit): Detail {
  return {
    desc: PreconditionFailureSchema,
    value: create(PreconditionFailureSchema, {
      violations: [
        {
          type: init.reason,
          subject: Object.values(init.metadata ?? {})[0] ?? "",
          description: init.message,
        },
      ],
    }),
  };
}
