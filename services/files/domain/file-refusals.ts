import { DomainError } from "../../platform/runtime/errors.ts";
import type { StoredFile } from "./file.ts";

type Named = Pick<StoredFile, "id">;
const nameOf = ({ id }: Named) => `files/${id}`;

export function fileNotFound(id: string): DomainError {
  return new DomainError({
    code: "not_found",
    reason: "FILE_NOT_FOUND",
    message: `you have no file files/${id}`,
    metadata: { file: `files/${id}` },
  });
}

export function wrongState(file: StoredFile, wanted: string): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "FILE_STATE",
    message: `${nameOf(file)} is ${file.state}; ${wanted}`,
    metadata: { file: nameOf(file), state: file.state.toUpperCase() },
  });
}

export function tooLarge(
  size: bigint,
  limit: bigint,
  advice: string,
): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "FILE_TOO_LARGE",
    message: `${size} bytes are more than the ${limit} that ${advice}`,
    field: "file.size_bytes",
    metadata: { size_bytes: String(size), limit_bytes: String(limit) },
  });
}

export function typeRefused(contentType: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "CONTENT_TYPE_REFUSED",
    message: `files of type ${contentType} are not taken`,
    field: "file.content_type",
    metadata: { content_type: contentType },
  });
}

export function expiryPassed(): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "INVALID_FIELD",
    message: "the file would expire before it is uploaded",
    field: "file.expire_time",
  });
}

export function quotaExceeded(what: string, limit: number): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "QUOTA_EXCEEDED",
    message: `you have ${limit} ${what}, and that is as many as one may have`,
    metadata: { limit: String(limit) },
    retryAfterMs: 60_000,
  });
}

export function requestIdReused(requestId: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "REQUEST_ID_REUSED",
    message: `the request id ${requestId} began another upload`,
    field: "request_id",
    metadata: { request_id: requestId },
  });
}

export function objectMissing(file: Named): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "OBJECT_MISSING",
    message: `nothing was uploaded to the URL of ${nameOf(file)} yet`,
    metadata: { file: nameOf(file) },
  });
}

export function sizeMismatch(file: StoredFile, actual: bigint): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "SIZE_MISMATCH",
    message: `${nameOf(file)} was to have ${file.sizeBytes} bytes and has ${actual}; upload it again`,
    metadata: {
      file: nameOf(file),
      stated_bytes: String(file.sizeBytes),
      actual_bytes: String(actual),
    },
  });
}

export function contentMismatch(file: StoredFile, found: string): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "CONTENT_MISMATCH",
    message: `${nameOf(file)} says that it is ${file.contentType}, but its bytes are ${found}`,
    metadata: {
      file: nameOf(file),
      content_type: file.contentType,
      found,
    },
  });
}

export function checksumMismatch(file: Named): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "CHECKSUM_MISMATCH",
    message: `the bytes of ${nameOf(file)} have another SHA-256; upload them again`,
    metadata: { file: nameOf(file) },
  });
}

export function partInvalid(file: Named, why: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "PART_INVALID",
    message: `${nameOf(file)}: ${why}`,
    metadata: { file: nameOf(file) },
  });
}

export function partsDiffer(file: Named): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "PART_INVALID",
    message: `${nameOf(file)}: a part is not there, or has another ETag`,
    metadata: { file: nameOf(file) },
  });
}

export function storeUnavailable(cause: unknown): DomainError {
  return new DomainError({
    code: "unavailable",
    reason: "OBJECT_STORE_UNAVAILABLE",
    message: "the object store does not answer",
    retryAfterMs: 1_000,
    cause,
  });
}
