import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { CounterSchema } from "../../../gen/ts/weft/ratelimit/v1/rate_limit_admin_service_pb.ts";
import type { CheckOutcome } from "../domain/decision.ts";

export function counterToProto(
  outcome: CheckOutcome,
): MessageInitShape<typeof CounterSchema> {
  const { rule, limit, plan } = outcome.check;
  const bursts = rule.algorithm === "gcra" || rule.algorithm === "token-bucket";
  return {
    rule: rule.name,
    algorithm: rule.algorithm,
    limit: BigInt(limit.limit),
    period: durationFromMs(limit.periodUs / 1_000),
    burst: BigInt(bursts ? limit.burst : 0),
    remaining: BigInt(outcome.remaining ?? 0),
    resetAfter: durationFromMs(Math.ceil(outcome.resetMs)),
    shadow: rule.shadow,
    plan: limit === rule.limitByPlan.get(plan) ? plan : "",
  };
}
