import {
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
} from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import {
  refuses,
  tightest,
  type CheckOutcome,
  type Decision,
} from "../domain/decision.ts";
import { rateLimitHeaders } from "../domain/rate-limit-headers.ts";
import { describeRefusal } from "./refusal.ts";

/** What we tell of a descriptor: fields of `RateLimitResponse.DescriptorStatus`. */
export interface DescriptorStatus {
  readonly code: Code;
  readonly currentLimit?: {
    readonly name: string;
    readonly requestsPerUnit: number;
    readonly unit: Unit;
  };
  readonly limitRemaining?: number;
  readonly durationUntilReset?: {
    readonly seconds: bigint;
    readonly nanos: number;
  };
}

/** What we tell of a request: fields of `RateLimitResponse`, the last two of a refusal only. */
export interface LimitResponse {
  readonly overallCode: Code;
  readonly statuses: DescriptorStatus[];
  readonly responseHeadersToAdd: {
    readonly key: string;
    readonly value: string;
  }[];
  readonly rawBody?: Uint8Array<ArrayBuffer>;
  readonly dynamicMetadata?: Record<string, string>;
}

/**
 * A decision as Envoy takes it: a status a descriptor, headers for the client, and for a refusal its body. Our edge takes the
 * error for each protocol from the metadata; any other Envoy sends the body, which is REST's.
 */
export function writeResponse(decision: Decision): LimitResponse {
  const response: LimitResponse = {
    overallCode: decision.allowed ? Code.OK : Code.OVER_LIMIT,
    statuses: decision.outcomes.map(statusOf),
    responseHeadersToAdd: rateLimitHeaders(decision).map(([key, value]) => ({
      key,
      value,
    })),
  };
  if (decision.allowed) return response;
  const { grpc, connect, connectEnd, rest } = describeRefusal(decision);
  return {
    ...response,
    rawBody: new TextEncoder().encode(rest),
    dynamicMetadata: { grpc, connect, connect_end: connectEnd, rest },
  };
}

function statusOf(outcomes: readonly CheckOutcome[]): DescriptorStatus {
  const worst = tightest(outcomes);
  if (worst === undefined) return { code: Code.OK };
  const { check, room, remaining = 0, retryMs, resetMs } = worst;
  const untilMs = room ? resetMs : retryMs;
  return {
    code: refuses(worst) ? Code.OVER_LIMIT : Code.OK,
    currentLimit: {
      name: check.rule.name,
      requestsPerUnit: toUint32(check.limit.limit),
      unit: UNITS[check.limit.periodUs] ?? Unit.UNKNOWN,
    },
    limitRemaining: room ? toUint32(remaining) : 0,
    // What never has room has no time to tell.
    ...(untilMs === Infinity
      ? {}
      : { durationUntilReset: toDuration(untilMs) }),
  };
}

function toDuration(ms: number) {
  return {
    seconds: BigInt(Math.floor(ms / 1_000)),
    nanos: Math.floor((ms % 1_000) * 1e6),
  };
}

/** Plans scale limits up to 10^12, and a field that can't be written would take the whole answer with it. */
function toUint32(number: number): number {
  return Math.min(number, 0xffff_ffff);
}

/** Envoy's `WEEK`, which the package that we generate from has not got yet; the generated code writes what it has no name for. */
const WEEK = 7 as Unit;

/** By length in microseconds, as Envoy counts them; other periods have no unit of Envoy's. */
const UNITS: Readonly<Record<number, Unit>> = {
  [1e6]: Unit.SECOND,
  [60e6]: Unit.MINUTE,
  [3_600e6]: Unit.HOUR,
  [86_400e6]: Unit.DAY,
  [7 * 86_400e6]: WEEK,
  [30 * 86_400e6]: Unit.MONTH,
  [365 * 86_400e6]: Unit.YEAR,
};
