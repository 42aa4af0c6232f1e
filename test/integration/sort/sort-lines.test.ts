import { createReadStream } from "node:fs";
import { describe, expect, test } from "vitest";
import type { SortOptions } from "../../../services/sort/engine/sort-options.ts";
import type { SortSpec } from "../../../services/sort/engine/sort-spec.ts";
import { createSortWorld, digest } from "./sort-world.ts";

const number = {
  kind: "field",
  start: { field: 1, character: 1 },
  type: "number",
} as const;
const lines = { record: { kind: "lines" } } as const;

const texts: Readonly<Record<string, string>> = {
  "an empty file": "",
  "one line without its end": "alone",
  "only line ends": "\n\n\n",
  "empty lines between others": "b\n\n\na\n\n",
  "CR LF kept": "b\r\na\r\nb\n",
  "NUL in lines": "a\0b\na\na\0\n\0\n",
  "lines that begin like others": "abc\nab\nabcdefgh\nabcdefg\nabcdefghi\na\n",
  "all equal": "same\n".repeat(2_000),
  presorted: Array.from({ length: 3_000 }, (_, i) => 10_000 + i).join("\n"),
  "bytes above 127": "\u00ff\n\u0080\nz\n\u00e9\n",
};

describe.each(["wasm", "typescript"] as const)(
  "with the %s kernel",
  (kernel) => {
    test.each(Object.entries(texts))(
      "%s sorts as with GNU",
      async (_name, text) => {
        using world = createSortWorld();
        world.write("in", Buffer.from(text, "latin1"));

        await world.sort(lines, { kernel, verify: true });

        expect(world.read("out").equals(await world.gnu())).toBe(true);
      },
    );
  },
);

const orders: readonly (readonly [string[], Partial<SortSpec>])[] = [
  [["-r"], { reverse: true }],
  [["-u"], { unique: "first" }],
  [["-n"], { keys: [number] }],
  [["-n", "-r"], { keys: [number], reverse: true }],
  [["-n", "-s"], { keys: [number], stable: true }],
  [["-n", "-s", "-r"], { keys: [number], stable: true, reverse: true }],
  [["-n", "-u"], { keys: [number], unique: "first" }],
];

describe("in the least memory that a sort takes", () => {
  // What a file begins with says little of the rest of it.
  const long = Array.from({ length: 300_000 }, (_, i) => 10 ** 12 + i);
  const growing = "b\n".repeat(50_000) + long.join("\n");
  const least = (megabytes: number): Partial<SortOptions> => ({
    memory: { bytes: megabytes << 20, counts: "job" },
    workers: 1,
  });

  test("lines that grow longer sort as with GNU", async () => {
    using world = createSortWorld();
    world.write("in", growing);

    await world.sort({ ...lines, reverse: true }, least(44));

    expect(world.read("out").equals(await world.gnu("-r"))).toBe(true);
  });

  test("lines of a stream sort as with GNU", async () => {
    using world = createSortWorld();
    const file = world.write("in", growing);
    const open = () => createReadStream(file);

    await world.sort(
      {
        ...lines,
        reverse: true,
        inputs: [{ kind: "stream", name: "lines", open }],
      },
      least(72),
    );

    expect(world.read("out").equals(await world.gnu("-r"))).toBe(true);
  });
});

test.each(orders)("sorts as GNU does with %j", async (flags, spec) => {
  using world = createSortWorld();
  world.write("in", manyLines(40_000));

  await world.sort({ ...lines, ...spec });

  expect(world.read("out").equals(await world.gnu(...flags))).toBe(true);
});

describe.each(["used", "bypassed"] as const)(
  "with the page cache %s",
  (pageCache) => {
    const options = {
      pageCache,
      memory: { bytes: 80 << 20, counts: "job" },
    } as const;

    test("divides a large file among workers and runs, and merges in parts", async () => {
      using world = createSortWorld();
      world.write("in", manyLines(2_000_000));

      const result = await world.sort(lines, { ...options, verify: true });

      expect(result.runs).toBeGreaterThan(2);
      expect(result.recordsOut).toBe(2_000_000);
      expect(world.read("out").equals(await world.gnu())).toBe(true);
    });

    test("closes the gaps between parts whose equal records are dropped", async () => {
      using world = createSortWorld();
      world.write("in", manyLines(1_000_000) + manyLines(1_000_000));

      await world.sort({ ...lines, unique: "first" }, options);

      expect(world.read("out").equals(await world.gnu("-u"))).toBe(true);
    });

    test("copies what is sorted already", async () => {
      using world = createSortWorld();
      const sorted = Array.from({ length: 3_000_000 }, (_, i) => 10 ** 9 + i);
      world.write("in", sorted.join("\n"));

      await world.sort(lines, options);

      expect(world.read("out").equals(await world.gnu())).toBe(true);
    });
  },
);

test("puts out the first records only", async () => {
  using world = createSortWorld();
  world.write("in", manyLines(500_000));

  await world.sort({ ...lines, top: 10 });

  const all = await world.gnu();
  const first = all.toString("latin1").split("\n").slice(0, 10).join("\n");
  expect(world.read("out").toString("latin1")).toBe(`${first}\n`);
});

test("keeps the last of equal keys in input order", async () => {
  using world = createSortWorld();
  world.write("in", "2 a\n1 a\n2 b\n1 b\n3 a\n");

  await world.sort({ ...lines, keys: [number], unique: "last" });

  expect(world.read("out").toString()).toBe("1 b\n2 b\n3 a\n");
});

test("sorts fixed records by their key and keeps equal ones in order", async () => {
  using world = createSortWorld();
  const records = Array.from(
    { length: 30_000 },
    (_, i) =>
      `${String((i * 7_919) % 1_000).padStart(4, "0")}:${String(i).padStart(7, "0")}\n`,
  );
  world.write("in", records.join(""));

  await world.sort({
    record: { kind: "fixed", bytes: 13, keyOffset: 0, keyBytes: 4 },
  });

  const flags = ["-s", "-t:", "-k1,1"];
  expect(world.read("out").equals(await world.gnu(...flags))).toBe(true);
});

test("sorts several files as one, into one of them", async () => {
  using world = createSortWorld();
  const first = world.write("in", "c\na");
  const second = world.write("second", "d\nb\n");

  await world.sort({
    ...lines,
    inputs: [
      { kind: "file", path: first },
      { kind: "file", path: second },
    ],
    output: { kind: "file", path: first },
  });

  expect(world.read("in").toString()).toBe("a\nb\nc\nd\n");
});

test("merges in two levels where one cannot take all runs", async () => {
  using world = createSortWorld();
  // The longest record sets how many runs a merge has room for: 7 with this one in this memory. Each file is a run.
  const long = `m${"z".repeat(1_300_000)}`;
  const texts = Array.from({ length: 13 }, (_, i) =>
    manyLines(500 + i).replace("\n", `\n${i === 5 ? `${long}\n` : ""}`),
  );
  const inputs = texts.map(
    (text, i) =>
      ({ kind: "file", path: world.write(`in-${i}`, text) }) as const,
  );
  world.write("in", texts.join(""));
  const memory = { bytes: 46 << 20, counts: "job" } as const;

  const { runs, tempBytesWritten, bytesIn } = await world.sort(
    { ...lines, inputs },
    { memory, workers: 1 },
  );

  expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
  expect(runs).toBeLessThan(13);
  // What the first level merged was written twice.
  expect(tempBytesWritten).toBeGreaterThan(1.05 * bytesIn);
});

/** Numbers and words, many of them equal, in no order. */
function manyLines(count: number): string {
  const made: string[] = [];
  let state = 42;
  for (let i = 0; i < count; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const kind = state % 5;
    const value = (state >>> 8) % 50_000;
    if (kind === 0) made.push(`-${value}.${value % 97}`);
    else if (kind === 1) made.push(`word${value} and more of it`);
    else if (kind === 2) made.push(`${value}00000000000000000${value}`);
    else made.push(String(value));
  }
  return `${made.join("\n")}\n`;
}
