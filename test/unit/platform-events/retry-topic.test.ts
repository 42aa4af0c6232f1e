import { describe, expect, it } from "vitest";
import { waitOf } from "../../../services/platform/events/retry-topic.ts";

const NOW = new Date("2026-01-01T00:00:00Z");
const POLICY = { delaysMs: [1_000, 10_000, 60_000] };

describe("how long a record of a retry topic waits", () => {
  it.each([-1_000, 0, 1, 60_000, 60_020])(
    "is until it is due, in %i ms",
    (leftMs) => {
      expect(waitOf(dueIn(leftMs), NOW, POLICY)).toBe(leftMs);
    },
  );

  it("is not the hour by which the clock jumped back", () => {
    const waitMs = waitOf(dueIn(3_600_000 + 60_000), NOW, POLICY);

    expect(waitMs).toBeLessThanOrEqual(0);
  });
});

function dueIn(ms: number) {
  return { dueAt: new Date(NOW.getTime() + ms) };
}
