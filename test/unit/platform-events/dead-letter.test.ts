import { describe, expect, it } from "vitest";
import { toDeadLetter } from "../../../services/platform/events/dead-letter.ts";
import type { IncomingRecord } from "../../../services/platform/events/event-bus.ts";

describe("a dead letter", () => {
  it("keeps the record and says where it came from and why", () => {
    const letter = toDeadLetter(record(), cause(new TypeError("boom")));

    expect(letter).toMatchObject({
      topic: "weft.order.v1.payment.dlt",
      key: "ORD-1",
      value: record().value,
      headers: {
        ce_id: "e-1",
        dlt_original_topic: "weft.order.v1",
        dlt_original_partition: "2",
        dlt_original_offset: "41",
        dlt_group: "payment",
        dlt_attempts: "3",
        dlt_first_failure_time: "2026-01-01T00:00:00.000Z",
        dlt_last_failure_time: "2026-01-01T00:01:00.000Z",
        dlt_error: "TypeError: boom",
      },
    });
  });

  it("finds a key for a record that had none, as the bus refuses an empty one", () => {
    const keyless = { ...record(), key: undefined };

    expect(toDeadLetter(keyless, cause("x")).key).toBe("weft.order.v1/2/41");
  });

  it("cuts an endless error: headers count towards the size that Kafka allows", () => {
    const letter = toDeadLetter(record(), cause(new Error("x".repeat(1e6))));

    expect(letter.headers["dlt_error"]).toHaveLength(500);
  });
});

function record(): IncomingRecord {
  return {
    topic: "weft.order.v1",
    partition: 2,
    offset: 41n,
    key: "ORD-1",
    value: new Uint8Array([1]),
    headers: { ce_id: "e-1" },
  };
}

function cause(error: unknown) {
  const firstFailureAt = new Date("2026-01-01T00:00:00Z");
  const lastFailureAt = new Date("2026-01-01T00:01:00Z");
  return {
    group: "payment",
    error,
    attempts: 3,
    firstFailureAt,
    lastFailureAt,
  };
}
