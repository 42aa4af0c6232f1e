import { DomainError } from "../../platform/runtime/errors.ts";
import type { SortJob } from "./sort-job.ts";
import type { SparkObstacle } from "./spark-limits.ts";

export function jobNotFound(id: string): DomainError {
  return new DomainError({
    code: "not_found",
    reason: "SORT_JOB_NOT_FOUND",
    message: `there is no sort job sortJobs/${id}`,
    metadata: { sort_job: `sortJobs/${id}` },
  });
}

export function notOwner(id: string): DomainError {
  return new DomainError({
    code: "permission_denied",
    reason: "NOT_OWNER",
    message: `sortJobs/${id} is a colleague's: its owner alone may say where it reads and writes`,
    metadata: { sort_job: `sortJobs/${id}` },
  });
}

export function wrongState(
  job: Pick<SortJob, "id" | "state">,
  advice: string,
): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "SORT_JOB_STATE",
    message: `sortJobs/${job.id} is ${job.state}; ${advice}`,
    metadata: {
      sort_job: `sortJobs/${job.id}`,
      state: job.state.toUpperCase(),
    },
  });
}

export function specInvalid(field: string, why: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "SPEC_INVALID",
    message: `${field}: ${why}`,
    field,
  });
}

export function inputForbidden(field: string, why: string): DomainError {
  return new DomainError({
    code: "permission_denied",
    reason: "INPUT_FORBIDDEN",
    message: `${field}: ${why}`,
    metadata: { field },
  });
}

export function outputForbidden(why: string, cause?: unknown): DomainError {
  return new DomainError({
    code: "permission_denied",
    reason: "OUTPUT_FORBIDDEN",
    message: `output: ${why}`,
    metadata: { field: "output" },
    cause,
  });
}

export function queueFull(whose: string, limit: number): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "QUEUE_FULL",
    message: `${limit} jobs of ${whose} wait, and that is as many as may`,
    metadata: { limit: String(limit) },
    retryAfterMs: 10_000,
  });
}

export function requestIdReused(requestId: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "REQUEST_ID_REUSED",
    message: `the request id ${requestId} began another job`,
    field: "request_id",
    metadata: { request_id: requestId },
  });
}

export function sparkUnavailable({ field, why }: SparkObstacle): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "SPARK_UNAVAILABLE",
    message: `job.${field}: ${why}`,
    metadata: { field: `job.${field}` },
  });
}

/** A job that fits neither here nor, for that reason, on Spark. */
export function fitsNowhere(
  needed: number,
  limit: number,
  whyNotSpark: string,
): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "TEMP_SPACE_SHORT",
    message:
      `the runs would need about ${needed} bytes of temporary space here, and may take ${limit}; on Spark it can't run: ` +
      `${whyNotSpark}. ENGINE_LOCAL tries it here all the same`,
    metadata: { needed: String(needed), limit: String(limit) },
  });
}

export function streamsBusy(whose: string, limit: number): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "STREAMS_BUSY",
    message: `${limit} streams of ${whose} are being sorted, and that is as many as may be`,
    metadata: { limit: String(limit) },
    retryAfterMs: 2_000,
  });
}

/** Whoever has a stream, and neither sends nor takes what it is waited for. */
export function streamIdle(what: "sent" | "taken", idleMs: number) {
  return new DomainError({
    code: "deadline_exceeded",
    reason: "STREAM_IDLE",
    message: `nothing was ${what} for ${idleMs / 1_000} s`,
    metadata: { idle_ms: String(idleMs) },
  });
}

export function streamTooLarge(limit: number): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "STREAM_TOO_LARGE",
    message: `a stream may have ${limit} bytes: make a job of it`,
    metadata: { limit_bytes: String(limit) },
  });
}

export function streamOutOfOrder(why: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "STREAM_OUT_OF_ORDER",
    message: why,
  });
}
