import fc from "fast-check";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ARENA } from "../../../services/sort/engine/kernel/kernel.ts";
import { openKernel } from "../../../services/sort/engine/kernel/open-kernel.ts";
import { PageWriter } from "../../../services/sort/engine/worker/page-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-pages-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MOST = 20_000;
const kernel = openKernel("wasm", 1 << 20);

test("past the page cache too, writes what it is given where it is given, and nothing beside it", () => {
  const path = join(folder, "file");
  const pieces = fc.array(fc.integer({ min: 0, max: MOST }), { maxLength: 8 });
  const positions = fc.integer({ min: 0, max: 10_000 });
  fc.assert(
    fc.property(positions, pieces, fc.boolean(), (position, sizes, direct) => {
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const wanted = Buffer.alloc(position + total + 5_000, ".");
      writeFileSync(path, wanted);
      const given = Buffer.alloc(total, "0123456789abcdefghijklmnopqrstuvw");
      given.copy(wanted, position);

      const target = { path, position, isDirect: direct };
      using file = new PageWriter(kernel, ARENA, target);
      let [at, done] = [file.from, 0];
      for (const size of sizes) {
        kernel.bytes.set(given.subarray(done, done + size), at);
        at = file.write(at + size);
        done += size;
      }
      file.flush(at);

      expect(readFileSync(path).equals(wanted)).toBe(true);
    }),
  );
});
