import { retryAfterMs, tightest, type Decision } from "./decision.ts";

/** Names and values of response headers. */
export type Headers = (readonly [name: string, value: string])[];

/**
 * What a client is told of the limit that is tightest for it: `RateLimit-Policy` and `RateLimit`
 * (draft-ietf-httpapi-ratelimit-headers-10), and `Retry-After` (RFC 9110) where it is refused. Seconds are rounded up: whoever
 * waits so long has room; where nobody ever has, no time is told. Their older kin `X-RateLimit-*` would say the same once
 * more, on every answer; an Envoy that wants them makes them of the statuses.
 */
export function rateLimitHeaders(decision: Decision): Headers {
  const outcome = tightest(decision.outcomes.flat());
  if (outcome === undefined) return [];
  const { check, room, remaining = 0, retryMs, resetMs } = outcome;
  const { limit, periodUs } = check.limit;
  const name = `"${check.rule.name}"`;
  const left = room ? remaining : 0;
  const untilMs = room ? resetMs : retryMs;
  // A window shorter than a second can't be told in whole seconds, and a lease is none.
  const window =
    check.rule.algorithm !== "concurrency" && periodUs % 1e6 === 0
      ? `;w=${periodUs / 1e6}`
      : "";
  const headers: Headers = [
    ["ratelimit-policy", `${name};q=${limit}${window}`],
  ];
  if (untilMs === Infinity) return headers;
  headers.push([
    "ratelimit",
    `${name};r=${left};t=${Math.ceil(untilMs / 1_000)}`,
  ]);
  if (!decision.allowed) {
    const seconds = Math.max(1, Math.ceil(retryAfterMs(decision) / 1_000));
    headers.push(["retry-after", String(seconds)]);
  }
  return headers;
}
