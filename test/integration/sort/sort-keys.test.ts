import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSortArgs } from "../../../services/sort/cli/parse-args.ts";
import { splitCsvRow } from "../../../services/sort/engine/keys/csv-row.ts";
import { createSortWorld } from "./sort-world.ts";

const flags: readonly string[][] = [
  ["-f"],
  ["-f", "-s"],
  ["-d"],
  ["-i"],
  ["-d", "-i"],
  ["-k1,2di", "-s"],
  ["-b"],
  ["-g"],
  ["-g", "-r"],
  ["-h"],
  ["-h", "-r"],
  ["-M"],
  ["-V"],
  ["-V", "-r"],
  ["-k2"],
  ["-k2,2"],
  ["-k2b,3"],
  ["-k2n", "-k1,1r"],
  ["-k1.2,1.3", "-s"],
  ["-t:", "-k2,2", "-k1n"],
  ["-t:", "-k2.2b,3.1n", "-r"],
  ["-t,", "-k3,3n", "-u"],
  ["-k1,1V", "-k2,2h"],
  ["-k2,2fr", "-u"],
  ["-z"],
  ["-n", "-k2"],
];

/** Texts that the letters of GNU's options tell apart, and some that they do not. */
const word = fc.oneof(
  fc.stringMatching(
    /^[ \t]{0,2}[-+]?[0-9]{0,4}(\.[0-9]{0,3})?(e-?[0-9]{1,2})?[KkMG]?$/,
  ),
  fc.stringMatching(/^[a-cA-C~.]{0,4}[0-9]{0,3}[a-c.~_-]{0,3}[0-9]{0,2}$/),
  fc.constantFrom(
    "jan",
    "FEB",
    " mar x",
    "inf",
    "-inf",
    "0x1F",
    "foo-1.2.tar.gz",
    "a:b",
    "x,y,3",
    "",
    ".",
    "..",
    ".a",
    "\x01",
    "é",
  ),
);

const text = fc
  .array(
    fc
      .array(word, { minLength: 0, maxLength: 4 })
      .chain((words) =>
        fc
          .constantFrom(" ", "  ", ":", ",", "\t")
          .map((separator) => words.join(separator)),
      ),
    { minLength: 200, maxLength: 400 },
  )
  .map((lines) => lines.join("\n"));

test.each(flags.map((each) => [each]))(
  "sorts as GNU does with %j",
  async (args) => {
    const [sample = ""] = fc.sample(text, {
      numRuns: 1,
      seed: 7 * args.length,
    });
    const samples = [sample, ...fc.sample(text, 2)];
    for (const lines of samples) {
      using world = createSortWorld();
      world.write(
        "in",
        args.includes("-z") ? lines.replaceAll("\t", "\0") : lines,
      );
      const parsed = parseSortArgs(args);

      await world.sort(parsed.spec, {
        workers: 1,
        memory: { bytes: 64 << 20, counts: "job" },
      });

      const [ours, gnu] = [world.read("out"), await world.gnu(...args)];
      expect(ours.toString("latin1")).toBe(gnu.toString("latin1"));
    }
  },
);

test("sorts CSV by several columns and keeps header, quotes and line ends", async () => {
  using world = createSortWorld();
  const rows = [
    "name,age,note\r\n",
    'bob,7,"two\nlines"\r\n',
    '"al ""x""",12,plain\r\n',
    "carl,,none\n",
    "amy,7,z\n",
  ];
  world.write("in", rows.join(""));

  await world.sort({
    record: { kind: "csv", header: true },
    keys: [
      { kind: "column", column: "age", type: "number", descending: true },
      { kind: "column", column: "name" },
    ],
  });

  const [header, bob, al, carl, amy] = rows;
  expect(world.read("out").toString()).toBe(
    [header, al, amy, bob, carl].join(""),
  );
});

const byId = {
  record: { kind: "csv", header: true },
  keys: [{ kind: "column", column: "id", type: "number" }],
} as const;

test("puts the header of several CSV inputs out once, however it is quoted and ended", async () => {
  using world = createSortWorld();
  const paths = [
    world.write("empty", ""),
    world.write("in", "id,name\n10,al\n"),
    world.write("other", '"id",name\r\n9,bo\r\n'),
  ];

  await world.sort({
    ...byId,
    inputs: paths.map((path) => ({ kind: "file", path })),
  });

  expect(world.read("out").toString()).toBe("id,name\n9,bo\r\n10,al\n");
});

test("reads a long header that comes byte by byte", async () => {
  using world = createSortWorld();
  const header = `id,"two\nlines",${"x".repeat(200_000)}\n`;
  const rows = ["10,al,y\n", "9,bo,z\n"];
  const open = async function* () {
    for (const byte of Buffer.from(header)) yield Uint8Array.of(byte);
    yield Buffer.from(rows.join(""));
  };

  await world.sort({
    ...byId,
    inputs: [{ kind: "stream", name: "stream", open }],
  });

  const [al, bo] = rows;
  expect(world.read("out").toString() === [header, bo, al].join("")).toBe(true);
});

test.each([
  ["name,id", 'column 1 is "name" in', 'and "id" in'],
  ["id,name,age", 'column 3 is "age" in', "and missing in"],
  ["id", "column 2 is missing in", 'and "name" in'],
])("refuses CSV inputs with other headers: %s", async (header, own, first) => {
  using world = createSortWorld();
  const path = world.write("in", "id,name\n10,al\n");
  const other = world.write("other", `${header}\nbo,9,1\n`);
  const inputs = [path, other].map((each) => ({
    kind: "file" as const,
    path: each,
  }));

  const sorted = world.sort({ ...byId, inputs });

  await expect(sorted).rejects.toMatchObject({
    reason: "INPUT_MALFORMED",
    message: `the headers differ: ${own} ${other}, ${first} ${path}`,
    metadata: { input: other, line: "1" },
  });
});

/** Quoted, plain and odd fields; rows of both sorts of line ends, some longer than what is looked at at once. */
const csvField = fc.oneof(
  fc.stringMatching(/^[a-c]{0,3}$/),
  fc.string({ unit: fc.constantFrom("a", "b", "c", "\0"), maxLength: 40 }),
  fc.constantFrom('""', '"a,b"', '"a ""b"""', '"two\nlines"', "\r", "a\r"),
);

const csvRows = fc.array(
  fc
    .tuple(
      fc.array(csvField, { minLength: 3, maxLength: 5 }),
      fc.constantFrom("\n", "\r\n"),
    )
    .map(([fields, end]) => fields.join(",") + end),
  { minLength: 100, maxLength: 300 },
);

test.each([
  [1, false],
  [2, false],
  [2, true],
  [3, true],
])(
  "sorts CSV by column %i (descending: %s) alike on both kernels",
  async (column, descending) => {
    const [rows = []] = fc.sample(csvRows, { numRuns: 1, seed: column });
    using world = createSortWorld();
    world.write("in", rows.join(""));
    const spec = {
      record: { kind: "csv" },
      keys: [{ kind: "column", column, descending }],
    } as const;

    await world.sort(spec, { kernel: "wasm" });
    const quick = world.read("out").toString();
    await world.sort(spec, { kernel: "typescript" });

    expect(quick).toBe(world.read("out").toString());
    const textOf = (row: string) =>
      splitCsvRow(Buffer.from(row), 44)[column - 1] ?? "";
    const sign = descending ? -1 : 1;
    const order = rows.toSorted(
      (a, b) =>
        sign * Buffer.compare(Buffer.from(textOf(a)), Buffer.from(textOf(b))),
    );
    expect(quick).toBe(order.join(""));
  },
);

test("sorts plain CSV by a column as GNU sorts its lines", async () => {
  using world = createSortWorld();
  const rows = fc.sample(
    fc
      .array(fc.stringMatching(/^[ -!#-+\--~]{0,60}$/), {
        minLength: 2,
        maxLength: 6,
      })
      .map((fields) => fields.join(",")),
    { numRuns: 3_000, seed: 11 },
  );
  world.write("in", rows.join("\n"));

  await world.sort({
    record: { kind: "csv" },
    keys: [{ kind: "column", column: 2 }],
  });

  const gnu = await world.gnu("-s", "-t,", "-k2,2");
  expect(world.read("out").toString()).toBe(gnu.toString());
});

test("sorts NDJSON by paths, numbers as numbers, nulls where they are wanted", async () => {
  using world = createSortWorld();
  const lines = [
    '{"a":{"b":[{"c":10}]},"t":"x"}',
    '{"t":"\\u0061","a":{"b":[{"c":9}]}}',
    '{"t":null,"a":{"b":[{"c":9.0}]}}',
    '{"t":"z","a":{}}',
    '{"t":"b","a":{"b":[{"c":-1e2}]}}',
  ];
  world.write("in", lines.join("\n"));

  await world.sort({
    record: { kind: "ndjson" },
    keys: [
      { kind: "path", path: "a.b[0].c", type: "number", nulls: "first" },
      { kind: "path", path: "t", descending: true },
    ],
  });

  const order = [3, 4, 1, 2, 0].map((i) => `${lines[i]}\n`);
  expect(world.read("out").toString()).toBe(order.join(""));
});

test("names the line of a malformed row, and leaves no output", async () => {
  using world = createSortWorld();
  world.write("in", 'a,1\n"q\nq",2\nb"c,3\n');

  const sorted = world.sort({
    record: { kind: "csv" },
    keys: [{ kind: "column", column: 1 }],
  });

  await expect(sorted).rejects.toMatchObject({
    reason: "INPUT_MALFORMED",
    metadata: { line: "4" },
  });
  expect(() => world.read("out")).toThrow();
});

test.each([
  ["a quote that is never closed", 'a,1\n"b,2\n', "INPUT_MALFORMED"],
  ["a row with too few fields", "a,1\nb\n", "INPUT_MALFORMED"],
  ["a number that is none", "a,1\nb,x\n", "INPUT_MALFORMED"],
  ["a missing value that must be there", "a,1\nb,\n", "KEY_ABSENT"],
])("refuses %s", async (_name, text, reason) => {
  using world = createSortWorld();
  world.write("in", text);

  const sorted = world.sort({
    record: { kind: "csv" },
    keys: [{ kind: "column", column: 2, type: "number", nulls: "error" }],
  });

  await expect(sorted).rejects.toMatchObject({
    reason,
    metadata: { line: "2" },
  });
});
