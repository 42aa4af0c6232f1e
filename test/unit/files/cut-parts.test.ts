import fc from "fast-check";
import { expect, test } from "vitest";
import {
  partBytesFor,
  partCount,
} from "../../../services/files/domain/file.ts";

test("cuts a file of any size into parts that S3 takes", () => {
  const tebibyte = 1024n ** 4n;
  fc.assert(
    fc.property(fc.bigInt(0n, 48n * tebibyte), (size) => {
      const part = partBytesFor(size);
      const count = partCount(size, part);

      expect(count).toBeLessThanOrEqual(10_000);
      expect(part).toBeGreaterThanOrEqual(8n * 1024n ** 2n);
      expect(part).toBeLessThanOrEqual(5n * 1024n ** 3n);
      expect(BigInt(count) * part).toBeGreaterThanOrEqual(size);
    }),
  );
});
