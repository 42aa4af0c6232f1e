import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  ErrorInfoSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.ts";
import { errorDomain } from "../../platform/rpc/status.ts";
import {
  refusals,
  retryAfterMs,
  type CheckOutcome,
  type Decision,
} from "../domain/decision.ts";

const RESOURCE_EXHAUSTED = 8;
const REASON = "RATE_LIMITED";
/** A Connect stream ends with a message whose length goes before it; the edge can write one length only. */
const CONNECT_END_BYTES = 2_048;
/** More violations than that say nothing new, and must fit into the above. */
const MOST_VIOLATIONS = 4;

/** A refusal as each kind of client reads errors. The edge puts the one that fits into its answer. */
export interface Refusal {
  /** Base64 of a `google.rpc.Status`, for `grpc-status-details-bin`. */
  readonly grpc: string;
  /** The JSON body of a Connect error. */
  readonly connect: string;
  /** The JSON end of a Connect stream, padded to 2048 bytes. */
  readonly connectEnd: string;
  /** The JSON body of a REST error. */
  readonly rest: string;
}

/**
 * RESOURCE_EXHAUSTED with `ErrorInfo`, `RetryInfo` and `QuotaFailure`, once for each protocol. Where no time changes the answer,
 * there is no `RetryInfo`, and the message says why.
 */
export function describeRefusal(decision: Decision): Refusal {
  const refusing = refusals(decision)
    // What a client has to know first goes first.
    .toSorted((a, b) => Number(isForEver(b)) - Number(isForEver(a)))
    .slice(0, MOST_VIOLATIONS);
  const [first] = refusing;
  const rule = first?.check.rule.name ?? "";
  const message =
    first !== undefined && isForEver(first)
      ? `the limit ${rule} never has room for ${first.check.hits} at once`
      : `too many requests: the limit ${rule} is reached`;
  const info = {
    reason: REASON,
    domain: errorDomain,
    metadata: { limit: rule },
  };
  const retryMs = retryAfterMs(decision);
  // Up to the next millisecond: a client that comes back then has room.
  const delaysMs =
    retryMs === Infinity ? [] : [Math.max(1, Math.ceil(retryMs))];
  const violations = refusing.map((outcome) => ({
    subject: outcome.check.rule.name,
    description: describeLimit(outcome),
  }));

  const details = [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, info)),
    ...delaysMs.map((delayMs) =>
      anyPack(
        RetryInfoSchema,
        create(RetryInfoSchema, { retryDelay: durationFromMs(delayMs) }),
      ),
    ),
    anyPack(QuotaFailureSchema, create(QuotaFailureSchema, { violations })),
  ];
  const status = create(StatusSchema, {
    code: RESOURCE_EXHAUSTED,
    message,
    details,
  });
  const connectError = {
    code: "resource_exhausted",
    message,
    details: details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.indexOf("/") + 1),
      value: base64(value),
    })),
  };
  return {
    grpc: base64(toBinary(StatusSchema, status)),
    connect: JSON.stringify(connectError),
    connectEnd: JSON.stringify({ error: connectError }).padEnd(
      CONNECT_END_BYTES,
    ),
    rest: JSON.stringify({
      code: RESOURCE_EXHAUSTED,
      message,
      details: [
        { "@type": typeUrl(ErrorInfoSchema.typeName), ...info },
        ...delaysMs.map((delayMs) => ({
          "@type": typeUrl(RetryInfoSchema.typeName),
          retryDelay: `${delayMs / 1_000}s`,
        })),
        { "@type": typeUrl(QuotaFailureSchema.typeName), violations },
      ],
    }),
  };
}

function isForEver({ retryMs }: CheckOutcome): boolean {
  return retryMs === Infinity;
}

/** `20 in 1 s`; never whose count it is: others may read the answer. */
function describeLimit({ check }: CheckOutcome): string {
  const { limit, periodUs } = check.limit;
  return check.rule.algorithm === "concurrency"
    ? `${limit} at a time`
    : `${limit} in ${periodUs / 1e6} s`;
}

function typeUrl(name: string): string {
  return `type.googleapis.com/${name}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}
