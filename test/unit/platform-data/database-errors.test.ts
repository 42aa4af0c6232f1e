import pg from "pg";
import { describe, expect, it } from "vitest";
import {
  isConnectionLost,
  isSerializationFailure,
  isUniqueViolation,
  toDatabaseError,
} from "../../../services/platform/data/database-errors.ts";

describe("a database failure", () => {
  it.each(["08006", "57P01", "57P02", "57P03", "53300", "25P03"])(
    "with SQLSTATE %s is a lost connection, told as unavailable",
    (code) => {
      const error = postgresError(code);

      expect(isConnectionLost(error)).toBe(true);
      expect(toDatabaseError(error)).toMatchObject({
        code: "unavailable",
        reason: "DATABASE_UNAVAILABLE",
        cause: error,
      });
    },
  );

  it.each(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND"])(
    "%s is a lost connection",
    (code) => {
      expect(isConnectionLost(Object.assign(new Error("x"), { code }))).toBe(
        true,
      );
    },
  );

  it("is recognised through what wraps it", () => {
    const wrapped = new Error("reserve", {
      cause: new Error("store", { cause: postgresError("40001") }),
    });

    expect(isSerializationFailure(wrapped)).toBe(true);
    expect(isUniqueViolation(wrapped)).toBe(false);
  });

  it("that is a cycle of causes is no endless loop", () => {
    const error = new Error("a");
    error.cause = error;

    expect(isConnectionLost(error)).toBe(false);
  });

  it.each(["23505", "23514", "42P01"])(
    "with SQLSTATE %s passes unchanged, for the caller to judge",
    (code) => {
      const error = postgresError(code);

      expect(isConnectionLost(error)).toBe(false);
      expect(toDatabaseError(error)).toBe(error);
    },
  );
});

function postgresError(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError("message", 0, "error");
  error.code = code;
  return error;
}
