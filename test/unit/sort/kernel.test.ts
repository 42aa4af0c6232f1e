import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ARENA,
  ENTRY,
  NO_THRESHOLD,
  parsed,
  RESULT,
  type Kernel,
  type KernelOrder,
} from "../../../services/sort/engine/kernel/kernel.ts";
import { openKernel } from "../../../services/sort/engine/kernel/open-kernel.ts";

const MEMORY = 8 << 20;
const ENTRIES = 2 << 20;
const SPARE = 4 << 20;
const OUT = 6 << 20;

const lines: KernelOrder = {
  layout: "lines",
  delimiter: 10,
  recordBytes: 0,
  keyOffset: 0,
  keyBytes: 0,
  reverse: false,
  tie: "none",
  unique: "no",
  hashing: true,
};

/** Few different bytes make long common prefixes; NUL and 255 are at the ends of the order. */
const line = fc
  .array(fc.constantFrom(0, 1, 13, 32, 97, 98, 255), { maxLength: 24 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

const decimal = fc.stringMatching(/^ {0,2}-?[0-9]{0,20}(\.[0-9]{0,20})?x?$/);

describe.each(["wasm", "typescript"] as const)("the %s kernel", (choice) => {
  const kernel = openKernel(choice, MEMORY);

  test("orders lines by their bytes, the shorter first", () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 2_000 }), (texts) => {
        expect(sortWith(kernel, lines, texts)).toEqual(texts.toSorted(byBytes));
      }),
      { numRuns: 40 },
    );
  });

  test("orders many lines by radix passes as it orders few", () => {
    const texts = Array.from(
      { length: 6_000 },
      (_, i) => `${"same start ".repeat(i % 3)}${(i * 7_919) % 1_000}`,
    );

    expect(sortWith(kernel, lines, texts)).toEqual(texts.toSorted(byBytes));
  });

  // So many are looked at in a sample first: what it does not show must come out right too.
  test.each<[what: string, keyOf: (i: number) => number[]]>([
    ["different keys", (i) => spread(i)],
    ["a thousand keys", (i) => spread(i % 1_000)],
    [
      "keys of one start",
      (i) => [...spread(7).slice(0, 5), (i >> 8) & 255, i & 255],
    ],
    [
      "some keys of one start",
      (i) => (i % 30 === 0 ? [1, 1, 1, 1, 1, spread(i)[0] ?? 0, 1] : spread(i)),
    ],
    [
      "keys of many starts",
      (i) => [...spread(i % 600).slice(0, 4), ...spread(i).slice(0, 3)],
    ],
  ])("orders 70,000 records of %s, equal ones as they came", (_, keyOf) => {
    const order = {
      ...lines,
      layout: "fixed",
      recordBytes: 10,
      keyBytes: 7,
    } as const;
    const texts = Array.from({ length: 70_000 }, (_, i) =>
      String.fromCharCode(...keyOf(i), i >> 16, (i >> 8) & 255, i & 255),
    );

    const sorted = sortWith(kernel, order, texts, "");

    const wanted = texts.toSorted(byKey);
    expect(sorted).toHaveLength(wanted.length);
    expect(sorted.findIndex((text, i) => text !== wanted[i])).toBe(-1);
  });

  test("turns the order round and leaves equal keys in input order", () => {
    const order = {
      ...lines,
      layout: "fixed",
      recordBytes: 4,
      keyBytes: 2,
      reverse: true,
    } as const;
    const texts = ["bb01", "aa01", "bb02", "aa02", "cc01"];

    const sorted = sortWith(kernel, order, texts, "");

    expect(sorted).toEqual(["cc01", "bb01", "bb02", "aa01", "aa02"]);
  });

  test("orders decimals of any length, then by their bytes", () => {
    fc.assert(
      fc.property(fc.array(decimal, { maxLength: 300 }), (texts) => {
        const order = { ...lines, layout: "numeric", tie: "bytes" } as const;

        expect(sortWith(kernel, order, texts)).toEqual(
          texts.toSorted((a, b) => byValue(a, b) || byBytes(a, b)),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("tells sorted input, and where it is not", () => {
    expect(parse(kernel, lines, ["a", "b", "b", "c"]).disorder).toBe(-1);
    expect(parse(kernel, lines, ["a", "c", "b"]).disorder).toBe(2);
    expect(parse(kernel, lines, ["a", "b", "b"], true).disorder).toBe(2);
  });

  test("makes no entry of a record behind the threshold", () => {
    parse(kernel, lines, ["m"]);
    const threshold = kernel.prefixOf(ARENA, 1);

    const after = parse(kernel, lines, ["z", "m", "a"], false, threshold);

    expect(after).toMatchObject({ made: 2, records: 3 });
  });

  test("drops the first or the last of equal keys", () => {
    const order = { ...lines, layout: "numeric" } as const;
    const texts = ["1", "01", "2", "1.0"];

    expect(sortWith(kernel, order, texts, "\n", "first")).toEqual(["1", "2"]);
    expect(sortWith(kernel, order, texts, "\n", "last")).toEqual(["1.0", "2"]);
  });
});

/** Seven bytes that look random and are another's only where `i` is. */
function spread(i: number): number[] {
  const high = Math.imul(i + 1, 0x9e3779b1) >>> 0;
  return [24, 16, 8, 0].map((by) => (high >>> by) & 255).concat(i & 255, 0, 9);
}

function byKey(a: string, b: string): number {
  return byBytes(a.slice(0, 7), b.slice(0, 7));
}

test("both kernels sum the same hash", () => {
  const texts = [
    "",
    "a",
    "\0\0",
    "twelve bytes",
    "a line of more than 16 bytes",
  ];

  const [wasm, typescript] = (["wasm", "typescript"] as const).map(
    (choice) => parse(openKernel(choice, MEMORY), lines, texts).hash,
  );

  expect(wasm).toBe(typescript);
});

function sortWith(
  kernel: Kernel,
  order: KernelOrder,
  texts: readonly string[],
  delimiter = "\n",
  unique?: "first" | "last",
): string[] {
  let { made: count } = parse(
    kernel,
    order,
    texts,
    false,
    NO_THRESHOLD,
    delimiter,
  );
  kernel.sortEntries(ENTRIES, SPARE, count);
  if (unique) count = kernel.dropEqual(ENTRIES, count, unique === "last");
  kernel.gather(ENTRIES, count, OUT, MEMORY - OUT - 64);
  const bytes = kernel.view.getUint32(RESULT + 4, true);
  const text = Buffer.from(kernel.bytes.slice(OUT, OUT + bytes)).toString(
    "latin1",
  );
  if (order.layout === "fixed") {
    const { recordBytes } = order;
    return Array.from({ length: count }, (_, i) =>
      text.slice(i * recordBytes, (i + 1) * recordBytes),
    );
  }
  return text.split("\n").slice(0, -1);
}

function parse(
  kernel: Kernel,
  order: KernelOrder,
  texts: readonly string[],
  refuseEqual = false,
  threshold = NO_THRESHOLD,
  delimiter = "\n",
) {
  kernel.configure(order);
  kernel.startChunk(refuseEqual, threshold);
  const bytes = Buffer.from(
    texts.map((text) => text + delimiter).join(""),
    "latin1",
  );
  kernel.bytes.set(bytes, ARENA);
  const end = ARENA + bytes.length;
  const capacity = (SPARE - ENTRIES) / ENTRY;
  if (order.layout === "fixed")
    kernel.parseFixed(ARENA, end, ENTRIES, capacity);
  else kernel.parseLines(ARENA, end, end, ENTRIES, capacity);
  return parsed(kernel);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "latin1"), Buffer.from(b, "latin1"));
}

/** By exact value, as scaled integers. */
function byValue(a: string, b: string): number {
  const [left, right] = [scaled(a), scaled(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function scaled(text: string): bigint {
  const [, sign, whole = "", fraction = ""] =
    /^ *(-?)([0-9]*)(?:\.([0-9]*))?/.exec(text) ?? [];
  const digits = BigInt(`0${whole}${fraction.padEnd(20, "0")}`);
  return sign === "-" ? -digits : digits;
}
