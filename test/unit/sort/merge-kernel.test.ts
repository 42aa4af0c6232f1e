import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ARENA,
  RESULT,
  type Kernel,
  type KernelOrder,
} from "../../../services/sort/engine/kernel/kernel.ts";
import { openKernel } from "../../../services/sort/engine/kernel/open-kernel.ts";

const MEMORY = 1 << 20;
const STATE = 600_000;
const OUT = 700_000;

const lines: KernelOrder = {
  layout: "lines",
  delimiter: 10,
  recordBytes: 0,
  keyOffset: 0,
  keyBytes: 0,
  reverse: false,
  tie: "none",
  unique: "no",
  hashing: false,
};

/** Shares 7, 14 or more bytes with others, and ends near them: there the kernels compare in another way. */
const line = fc
  .tuple(
    fc.constantFrom("", "seven b", "seven bfourteen", "seven bfourteen and on"),
    fc.stringMatching(/^[ab\0]{0,9}$/),
  )
  .map((parts) => parts.join(""));

describe.each(["wasm", "typescript"] as const)("the %s kernel", (choice) => {
  const kernel = openKernel(choice, MEMORY);

  test.each([false, true])(
    "merges sorted lines into the order of all of them (reverse: %s)",
    (reverse) => {
      const sources = fc.array(fc.array(line), { minLength: 1, maxLength: 9 });
      fc.assert(
        fc.property(sources, (unsorted) => {
          const sorted = unsorted.map((texts) => inOrder(texts, reverse));

          const merged = merge(kernel, { ...lines, reverse }, sorted);

          expect(merged).toEqual(inOrder(unsorted.flat(), reverse));
        }),
        { numRuns: 300 },
      );
    },
  );

  test("takes records with equal keys from the sources in their order", () => {
    const order = {
      ...lines,
      layout: "fixed",
      recordBytes: 20,
      keyBytes: 18,
    } as const;
    const key = "a key of 18 bytes.";
    const sources = [[`${key}1.`], [`${key}2.`, `${key}3.`], [`${key}4.`]];

    expect(merge(kernel, order, sources, "")).toEqual([
      `${key}1.${key}2.${key}3.${key}4.`,
    ]);
  });
});

function merge(
  kernel: Kernel,
  order: KernelOrder,
  sources: readonly (readonly string[])[],
  delimiter = "\n",
): string[] {
  kernel.configure(order);
  kernel.startMerge(STATE, sources.length, true, STATE, BigInt(MEMORY));
  let at = ARENA;
  sources.forEach((texts, i) => {
    const text = texts.map((each) => each + delimiter).join("");
    kernel.bytes.set(Buffer.from(text), at);
    kernel.feedSource(i, at, at + text.length);
    at += text.length;
  });
  kernel.buildTree();
  let end = OUT;
  for (let stop = 1; stop > 0;) {
    stop = kernel.merge(end, MEMORY - end - 64);
    end += kernel.view.getUint32(RESULT, true);
    if (stop > 0) kernel.feedSource(stop - 1, 0, 0);
    if (stop > 0) kernel.resumeSource(stop - 1);
  }
  const merged = Buffer.from(kernel.bytes.slice(OUT, end)).toString();
  return delimiter === "" ? [merged] : merged.split(delimiter).slice(0, -1);
}

function inOrder(texts: readonly string[], reverse: boolean): string[] {
  return texts.toSorted((a, b) => {
    const order = Buffer.compare(Buffer.from(a), Buffer.from(b));
    return reverse ? -order : order;
  });
}
