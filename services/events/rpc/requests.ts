import type { HandlerContext } from "@connectrpc/connect";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { callerOf } from "../../platform/rpc/caller.ts";
import type { Decision } from "../app/decide.ts";
import type { DeadLetterFilter } from "../domain/dead-letter.ts";

/** The id in a dead letter's name; contracts' rules have checked its shape. */
export function deadLetterIdOf(name: string): string {
  return name.slice("deadLetters/".length);
}

/** Who asks for a decision, and why. */
export function decisionOf(
  request: { readonly reason: string; readonly requestId: string },
  context: HandlerContext,
): Decision {
  const { subject, tenant } = callerOf(context);
  return {
    actor: subject,
    actorTenant: tenant,
    reason: request.reason,
    requestId: request.requestId || undefined,
  };
}

export function filterOf(request: {
  readonly group: string;
  readonly topic: string;
  readonly eventType: string;
  readonly key: string;
  readonly errorReason: string;
  readonly failedAfter?: Timestamp | undefined;
  readonly failedBefore?: Timestamp | undefined;
}): Omit<DeadLetterFilter, "states"> {
  const { group, topic, eventType, key, errorReason } = request;
  return {
    group,
    topic,
    eventType,
    key,
    errorReason,
    failedAfter: request.failedAfter && timestampDate(request.failedAfter),
    failedBefore: request.failedBefore && timestampDate(request.failedBefore),
  };
}
