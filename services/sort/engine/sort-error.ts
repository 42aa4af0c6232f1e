import { DomainError, type ErrorCode } from "../../platform/runtime/errors.ts";

/** Why a sort was refused or given up. */
export type SortFault =
  | "SPEC_INVALID"
  | "INPUT_MISSING"
  | "INPUT_FORBIDDEN"
  | "INPUT_CHANGED"
  | "INPUT_UNREADABLE"
  | "INPUT_TRUNCATED"
  | "INPUT_MALFORMED"
  | "KEY_ABSENT"
  | "RECORD_TOO_LONG"
  | "OUTPUT_FORBIDDEN"
  | "OUTPUT_FAILED"
  | "OUTPUT_SPACE_SHORT"
  | "MEMORY_TOO_SMALL"
  | "TEMP_SPACE_SHORT"
  | "FOLDER_IN_USE"
  | "RUN_CORRUPT"
  | "CHECKSUM_DIFFERS"
  | "CANCELLED"
  | "WORKER_LOST";

const codes: Readonly<Record<SortFault, ErrorCode>> = {
  SPEC_INVALID: "invalid_argument",
  INPUT_MISSING: "not_found",
  INPUT_FORBIDDEN: "permission_denied",
  INPUT_CHANGED: "failed_precondition",
  INPUT_UNREADABLE: "failed_precondition",
  INPUT_TRUNCATED: "failed_precondition",
  INPUT_MALFORMED: "failed_precondition",
  KEY_ABSENT: "failed_precondition",
  RECORD_TOO_LONG: "out_of_range",
  OUTPUT_FORBIDDEN: "permission_denied",
  OUTPUT_FAILED: "failed_precondition",
  OUTPUT_SPACE_SHORT: "resource_exhausted",
  MEMORY_TOO_SMALL: "invalid_argument",
  TEMP_SPACE_SHORT: "resource_exhausted",
  FOLDER_IN_USE: "aborted",
  RUN_CORRUPT: "internal",
  CHECKSUM_DIFFERS: "internal",
  CANCELLED: "aborted",
  WORKER_LOST: "internal",
};

/** The canonical code of a fault that is known by its name only; `internal` where it is none of ours. */
export function codeOfFault(reason: string): ErrorCode {
  const known: Readonly<Record<string, ErrorCode>> = codes;
  return known[reason] ?? "internal";
}

export interface SortErrorDetails {
  /** The field of the spec that is at fault. */
  readonly field?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A fault of a sort as the error that its caller is meant to see. */
export function sortError(
  fault: SortFault,
  message: string,
  details: SortErrorDetails = {},
): DomainError {
  return new DomainError({
    code: codes[fault],
    reason: fault,
    message,
    ...details,
  });
}
