import { describe, expect, it } from "vitest";
import { judgeFailure } from "../../../services/platform/events/failure-policy.ts";
import {
  DomainError,
  type ErrorCode,
} from "../../../services/platform/runtime/errors.ts";

const policy = { maxAttempts: 3, baseMs: 100, capMs: 1_000 };

describe("the judgement of a failed event", () => {
  it.each<ErrorCode>(["invalid_argument", "out_of_range"])(
    "buries %s at once: no retry can help",
    (code) => {
      expect(judgeFailure(domainError(code), 1, policy)).toEqual({
        kind: "dead-letter",
      });
    },
  );

  it.each<ErrorCode>([
    "unavailable",
    "resource_exhausted",
    "deadline_exceeded",
    "aborted",
  ])("never buries %s: in an outage every event fails so", (code) => {
    expect(judgeFailure(domainError(code), 1_000, policy).kind).toBe("retry");
  });

  it.each<unknown>([
    new TypeError("a fault in the handler"),
    "thrown text",
    domainError("not_found"),
    domainError("failed_precondition"),
    domainError("internal"),
  ])("tries %s up to its attempts", (error) => {
    const kinds = [1, 2, 3].map((n) => judgeFailure(error, n, policy).kind);

    expect(kinds).toEqual(["retry", "retry", "dead-letter"]);
  });

  it("waits longer with each try, never over the cap, never next to nothing", () => {
    for (let attempt = 1; attempt < 60; attempt += 1) {
      const verdict = judgeFailure(domainError("unavailable"), attempt, policy);

      const step = Math.min(1_000, 100 * 2 ** (attempt - 1));
      const afterMs = verdict.kind === "retry" ? verdict.afterMs : -1;
      expect(afterMs).toBeGreaterThanOrEqual(step / 2);
      expect(afterMs).toBeLessThanOrEqual(step + 1);
    }
  });
});

function domainError(code: ErrorCode): DomainError {
  return new DomainError({ code, reason: "TEST", message: "test" });
}
