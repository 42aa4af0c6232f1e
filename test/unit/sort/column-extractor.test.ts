import { expect, test } from "vitest";
import { createColumnExtractor } from "../../../services/sort/engine/keys/column-extractor.ts";
import {
  ARENA,
  type Kernel,
} from "../../../services/sort/engine/kernel/kernel.ts";
import { openKernel } from "../../../services/sort/engine/kernel/open-kernel.ts";

const MEMORY = 4 << 20;
const TABLE = 1 << 20;
const KEYS = 2 << 20;
const ROWS = 4_096;

test("asks the kernel for plain rows ever less often where all rows have quotes", () => {
  const csv = '"a, b",1\n'.repeat(ROWS);

  const { rows, asked } = extract(csv);

  expect(rows).toBe(ROWS);
  expect(asked).toBeLessThan(ROWS / 32);
});

test("leaves plain rows to the kernel again behind those with quotes", () => {
  const csv = '"a, b",1\n'.repeat(100) + "plain,2\n".repeat(ROWS - 100);

  const { rows, asked } = extract(csv);

  expect(rows).toBe(ROWS);
  expect(asked).toBeLessThan(16);
});

/** Takes rows of CSV in by their first column; `asked`: how often the kernel was. */
function extract(csv: string) {
  const kernel = openKernel("wasm", MEMORY);
  let asked = 0;
  const counting: Kernel = {
    ...kernel,
    takePlainRows(...args) {
      asked++;
      kernel.takePlainRows(...args);
    },
  };
  kernel.bytes.set(Buffer.from(csv), ARENA);
  const extractor = createColumnExtractor(44, [
    { kind: "column", column: 1, index: 0 },
  ]);
  const limit = ARENA + csv.length;
  const { rows } = extractor.extract(
    counting,
    { from: ARENA, limit, startLimit: limit },
    { table: TABLE, rows: ROWS, keys: KEYS, keysEnd: MEMORY, bytes: MEMORY },
  );
  return { rows, asked };
}
