import { fromBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { RateLimitResponseSchema } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import type { Decision } from "../../../services/ratelimit/domain/decision.ts";
import type { Rule } from "../../../services/ratelimit/domain/rule.ts";
import { createEncoder } from "../../../services/ratelimit/rpc/encode-response.ts";
import { writeResponse } from "../../../services/ratelimit/rpc/write-response.ts";

const LARGEST = 0xffff_ffff;

/** The status that Envoy reads of one check: what passes and what is refused are written by an encoder each. */
function statusOf(allowed: boolean, limit: number, remaining: number) {
  const numbers = { limit, periodUs: 1e6, burst: limit };
  const rule: Rule = {
    name: "orders/subject",
    per: [],
    when: [],
    algorithm: "fixed-window",
    limit: numbers,
    limitByPlan: new Map(),
    buckets: 20,
    redisAway: "open",
    shadow: false,
  };
  const check = {
    rule,
    limit: numbers,
    plan: "free",
    spec: "",
    subject: "orders/subject",
    hits: 1,
    lease: "",
  };
  const times = { retryMs: allowed ? 0 : 1, resetMs: 1 };
  const decision: Decision = {
    allowed,
    by: "redis",
    outcomes: [[{ check, room: allowed, remaining, ...times }]],
  };
  const bytes = createEncoder()(writeResponse(decision));
  return fromBinary(RateLimitResponseSchema, bytes).statuses[0];
}

it.each([true, false])(
  "tells of numbers that have no place in Envoy's answer the largest that has (allowed: %s)",
  (allowed) => {
    const status = statusOf(allowed, 1e12, 1e12 - 1);

    expect(status).toMatchObject({
      currentLimit: { requestsPerUnit: LARGEST },
      limitRemaining: allowed ? LARGEST : 0,
    });
  },
);

it.each([true, false])(
  "tells numbers that have a place as they are (allowed: %s)",
  (allowed) => {
    const status = statusOf(allowed, LARGEST, LARGEST - 1);

    expect(status).toMatchObject({
      currentLimit: { requestsPerUnit: LARGEST },
      limitRemaining: allowed ? LARGEST - 1 : 0,
    });
  },
);
