import { Code, ConnectError } from "@connectrpc/connect";
import { DatabaseError } from "pg";
import { describe, expect, it } from "vitest";
import {
  type Failure,
  judgeFailure,
} from "../../../services/platform/events/failure-policy.ts";
import {
  DomainError,
  type ErrorCode,
} from "../../../services/platform/runtime/errors.ts";

const policy = {
  inPlaceAttempts: 3,
  baseMs: 100,
  delaysMs: [1_000, 10_000],
  transientForMs: 3_600_000,
};

describe("the judgement of a failed event", () => {
  it.each<ErrorCode>(["invalid_argument", "out_of_range"])(
    "buries %s at once: no retry can help",
    (code) => {
      expect(judgeFailure(domainError(code), failed(1), policy)).toEqual({
        kind: "dead-letter",
      });
    },
  );

  it.each([
    "DATABASE_UNAVAILABLE",
    "DATABASE_POOL_EXHAUSTED",
    "COMMIT_OUTCOME_UNKNOWN",
  ])("counts %s as no attempt", (reason) => {
    const error = new DomainError({ code: "unavailable", reason, message: "" });

    expect(judgeFailure(error, failed(1_000, 2), policy)).toEqual({
      kind: "outage",
    });
  });

  it.each(["55P03", "40P01", "40001"])(
    "keeps an event that waits for a lock (%s) in retry until it is too old, whatever becomes of others",
    (code) => {
      const error = Object.assign(new DatabaseError("", 0, "error"), { code });

      expect(judgeFailure(error, failed(99, 2), policy)).toEqual({
        kind: "retry",
        round: 2,
        transient: false,
      });
      const old = { ...failed(99, 2), lastFailureAt: new Date(3_600_000) };
      expect(judgeFailure(error, old, policy).kind).toBe("dead-letter");
    },
  );

  it.each<unknown>([
    domainError("unavailable"),
    domainError("resource_exhausted"),
    domainError("deadline_exceeded"),
    domainError("aborted"),
    new ConnectError("down", Code.Unavailable),
  ])("stays in the last retry topic with %s, until it is too old", (error) => {
    const retry = { kind: "retry", transient: true };

    expect(judgeFailure(error, failed(3), policy)).toEqual({
      ...retry,
      round: 1,
    });
    expect(judgeFailure(error, failed(99, 2), policy)).toEqual({
      ...retry,
      round: 2,
    });
    const old = { ...failed(99, 2), lastFailureAt: new Date(3_600_000) };
    expect(judgeFailure(error, old, policy).kind).toBe("dead-letter");
  });

  it.each<unknown>([
    new TypeError("a fault in the handler"),
    "thrown text",
    domainError("not_found"),
    domainError("failed_precondition"),
    domainError("internal"),
    new ConnectError("bad", Code.InvalidArgument),
  ])("tries %s in place, then once a round, then buries it", (error) => {
    const rounds = [0, 0, 0, 1, 2].map((round, index) => {
      const verdict = judgeFailure(error, failed(index + 1, round), policy);
      return verdict.kind === "retry" ? verdict.round : verdict.kind;
    });

    expect(rounds).toEqual(["in-place", "in-place", 1, 2, "dead-letter"]);
  });

  it("waits longer with each try in place, never next to nothing, never over a second", () => {
    const patient = { ...policy, inPlaceAttempts: 100 };
    for (let attempt = 1; attempt < 60; attempt += 1) {
      const verdict = judgeFailure(new Error("x"), failed(attempt), patient);

      const step = Math.min(1_000, 100 * 2 ** (attempt - 1));
      const afterMs = verdict.kind === "in-place" ? verdict.afterMs : -1;
      expect(afterMs).toBeGreaterThanOrEqual(step / 2);
      expect(afterMs).toBeLessThanOrEqual(step + 1);
    }
  });
});

function failed(attempts: number, round = 0): Failure {
  const at = new Date(0);
  return { attempts, round, firstFailureAt: at, lastFailureAt: at };
}

function domainError(code: ErrorCode): DomainError {
  return new DomainError({ code, reason: "TEST", message: "test" });
}
