import { describe, expect, it } from "vitest";
import {
  hexBytes,
  recordSet,
} from "../../../services/platform/data/record-set.ts";

describe("a record set", () => {
  it("writes integers beyond 2^53, times and absent values as Postgres reads them", () => {
    const at = new Date("2026-01-02T03:04:05.678Z");

    const json = recordSet([{ n: 1, big: 2n ** 62n, at, none: undefined }]);

    expect(JSON.parse(json)).toEqual([
      { n: 1, big: "4611686018427387904", at: "2026-01-02T03:04:05.678Z" },
    ]);
  });

  it("writes bytes as hex, those of the view alone", () => {
    const bytes = Uint8Array.of(1, 2, 255, 3).subarray(1, 3);

    expect(hexBytes(bytes)).toBe("\\x02ff");
  });
});
