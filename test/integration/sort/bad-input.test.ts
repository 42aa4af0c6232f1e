import { execFile } from "node:child_process";
import { randomFillSync } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import {
  gzipSync,
  zstdCompressSync,
  gunzipSync,
  zstdDecompressSync,
} from "node:zlib";
import { join } from "node:path";
import { promisify } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import type { SortInput } from "../../../services/sort/engine/sort-spec.ts";
import { createSortWorld, digest } from "./sort-world.ts";

const lines = { record: { kind: "lines" } } as const;

/** Text without repetition, so that its compressed form is long. */
const text = Array.from({ length: 60_000 }, (_, i) =>
  ((i * 7_919_777) % 999_983).toString(36),
).join("\n");

test.each([
  ["gzip", gzipSync, gunzipSync],
  ["zstd", zstdCompressSync, zstdDecompressSync],
] as const)("reads and writes %s", async (compression, pack, unpack) => {
  using world = createSortWorld();
  world.write("in", text);
  const expected = await world.gnu();
  world.write("in", pack(text));

  await world.sort({
    ...lines,
    output: { kind: "file", path: world.path("out"), compression },
  });

  expect(unpack(world.read("out")).equals(expected)).toBe(true);
});

test.each([
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
  ["nothing", Buffer.from],
])(
  "sees by its first bytes what a stream is packed by: %s",
  async (_, pack) => {
    using world = createSortWorld();
    const packed = pack(Buffer.from("b\na\n"));
    const stream: SortInput = {
      kind: "stream",
      name: "stream",
      open: async function* () {
        for (const byte of packed) yield Uint8Array.of(byte);
      },
    };

    await world.sort({ ...lines, inputs: [stream] });

    expect(world.read("out").toString()).toBe("a\nb\n");
  },
);

test.each(["gzip", "zstd"] as const)(
  "refuses truncated %s and leaves no output",
  async (compression) => {
    using world = createSortWorld();
    const packed =
      compression === "gzip" ? gzipSync(text) : zstdCompressSync(text);
    world.write("in", packed);
    truncateSync(world.path("in"), packed.length - 1_000);

    await expect(world.sort(lines)).rejects.toMatchObject({
      reason: "INPUT_TRUNCATED",
    });

    expect(readdirSync(world.folder)).toEqual(["in"]);
  },
);

test("refuses a file that is not there", async () => {
  using world = createSortWorld();

  await expect(world.sort(lines)).rejects.toMatchObject({
    code: "not_found",
    reason: "INPUT_MISSING",
  });
});

test("refuses an output in a folder that is not there", async () => {
  using world = createSortWorld();
  world.write("in", "a\n");
  const output = { kind: "file", path: world.path("no/out") } as const;

  await expect(world.sort({ ...lines, output })).rejects.toMatchObject({
    reason: "OUTPUT_FAILED",
  });
});

test("refuses fixed records that do not fill the file", async () => {
  using world = createSortWorld();
  world.write("in", "aaaabb");
  const record = {
    kind: "fixed",
    bytes: 4,
    keyOffset: 0,
    keyBytes: 2,
  } as const;

  await expect(world.sort({ record })).rejects.toMatchObject({
    reason: "INPUT_TRUNCATED",
  });
});

test("notices an input that changes while another is read, and keeps the old output", async () => {
  using world = createSortWorld();
  const path = world.write("in", text);
  world.write("out", "old");
  const slow: SortInput = {
    kind: "stream",
    name: "slow",
    open: async function* () {
      yield Buffer.from("x\n");
      appendFileSync(path, "more\n");
    },
  };

  const sorted = world.sort({
    ...lines,
    inputs: [{ kind: "file", path }, slow],
  });

  await expect(sorted).rejects.toMatchObject({ reason: "INPUT_CHANGED" });
  expect(world.read("out").toString()).toBe("old");
});

test.each([
  ["written to", (path: string) => write(path, "x", 60_000_000)],
  ["cut", (path: string) => truncateSync(path, 60_000_000)],
] as const)(
  "notices that an input which is merged where it lies is %s meanwhile",
  async (_, change) => {
    using world = createSortWorld();
    const line = (i: number) => `${String(i).padStart(63, "0")}\n`;
    const sorted = Array.from({ length: 1_000_000 }, (_, i) => line(i)).join(
      "",
    );
    const path = world.write("in", sorted);

    const merged = world.sort({
      ...lines,
      output: {
        kind: "stream",
        name: "slow",
        // The last part has not begun when the first bytes go out.
        write: async () => change(path),
      },
    });

    await expect(merged).rejects.toMatchObject({
      reason: "INPUT_CHANGED",
      metadata: { input: path },
    });
  },
);

test("stops before runs exceed their budget, and can go on with a larger one", async () => {
  using world = createSortWorld();
  world.write("in", text);

  const short = world.sort({ ...lines, reverse: true }, { tempBytes: 100_000 });

  await expect(short).rejects.toMatchObject({
    reason: "TEMP_SPACE_SHORT",
    code: "resource_exhausted",
  });
  expect(existsSync(world.path("out"))).toBe(false);
  await world.sort({ ...lines, reverse: true });
  expect(world.read("out").equals(await world.gnu("-r"))).toBe(true);
});

test("refuses to call an output whole that holds other records than were read", async () => {
  using world = createSortWorld();
  world.write("in", text.repeat(20));
  const options = {
    verify: true,
    workers: 1,
    memory: { bytes: 44 << 20, counts: "job" },
  } as const;
  const sort = (tempBytes?: number) =>
    world.sort(
      { ...lines, reverse: true },
      { ...options, ...(tempBytes !== undefined && { tempBytes }) },
    );
  await expect(sort(0.9 * 20 * text.length)).rejects.toMatchObject({
    reason: "TEMP_SPACE_SHORT",
  });

  // Two runs that are whole in themselves, and were not made of this input.
  const run = (id: number) => join(world.path("job"), `run-00000${id}`);
  copyFileSync(run(0), run(1));

  await expect(sort()).rejects.toMatchObject({ reason: "CHECKSUM_DIFFERS" });
  expect(readdirSync(world.folder)).toEqual(["in"]);
});

test.each(["none", "gzip"] as const)(
  "counts an output that lies where the runs do (compression %s)",
  async (compression) => {
    using world = createSortWorld();
    world.write("in", text);
    const spec = {
      ...lines,
      reverse: true,
      output: { kind: "file", path: world.path("out"), compression },
    } as const;
    const runs = 1.1 * text.length;

    const short = world.sort(spec, { tempBytes: runs, countsOutput: true });

    await expect(short).rejects.toMatchObject({ reason: "TEMP_SPACE_SHORT" });
    expect(existsSync(world.path("out"))).toBe(false);
    await world.sort(spec, { tempBytes: 2 * runs, countsOutput: true });
    await world.sort(spec, { tempBytes: runs });
  },
);

test("takes a line of megabytes, and refuses one beyond the limit", async () => {
  using world = createSortWorld();
  const long = "z".repeat(5_000_000);
  world.write("in", `b\n${long}\na\n${long}y\n`);
  const memory = { bytes: 128 << 20, counts: "job" } as const;

  await world.sort(lines, { memory });
  world.write("in", "b".repeat(40_000_000));
  const tooLong = world.sort(lines, { memory });

  expect(world.read("out").toString()).toBe(`a\nb\n${long}\n${long}y\n`);
  await expect(tooLong).rejects.toMatchObject({ reason: "RECORD_TOO_LONG" });
});

test.each(["wasm", "typescript"] as const)(
  "takes lines up to the very limit that it states, over several runs (kernel %s)",
  async (kernel) => {
    using world = createSortWorld();
    const memory = { bytes: 128 << 20, counts: "job" } as const;
    const options = { memory, workers: 1, kernel };
    world.write("in", "b".repeat(40_000_000));
    const refusal: unknown = await world
      .sort(lines, options)
      .catch((error: unknown) => error);
    const limit = Number(
      refusal instanceof DomainError && refusal.metadata["limit"],
    );
    const texts = Array.from({ length: 14 }, (_, i) =>
      Buffer.alloc(i % 2 === 0 ? 9_000_000 : limit - 1, 122 - i),
    );
    const delimiter = Buffer.from("\n");
    world.write(
      "in",
      Buffer.concat(texts.flatMap((text) => [text, delimiter])),
    );

    const { runs } = await world.sort(lines, options);

    expect(limit).toBeGreaterThan(9_000_000);
    expect(runs).toBeGreaterThan(1);
    expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
  },
);

test("merges more runs than the process may open files", async () => {
  using world = createSortWorld();
  const spec = {
    ...lines,
    inputs: [{ kind: "file", path: world.write("in", shortLines(39_999_999)) }],
    output: { kind: "file", path: world.path("out") },
  };
  const options = {
    jobFolder: world.path("job"),
    memory: { bytes: 72 << 20, counts: "job" },
    workers: 2,
  };
  const engine = new URL("../../../services/sort/engine/", import.meta.url);
  const script = `import { sortFile } from ${JSON.stringify(`${engine.href}sort-file.ts`)};
    const { tempBytesWritten } = await sortFile(${JSON.stringify(spec)}, ${JSON.stringify(options)});
    console.log(tempBytesWritten);`;

  const { stdout } = await promisify(execFile)("bash", [
    "-c",
    `ulimit -n 96; exec "$0" --input-type=module -e "$1"`,
    process.execPath,
    script,
  ]);

  // Some were merged before the last merge, and so written twice.
  expect(Number(stdout)).toBeGreaterThan(50_000_000);
  expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
});

test("refuses a budget that no worker fits in", async () => {
  using world = createSortWorld();
  world.write("in", "a\n");
  const memory = { bytes: 20 << 20, counts: "job" } as const;

  await expect(world.sort(lines, { memory })).rejects.toMatchObject({
    reason: "MEMORY_TOO_SMALL",
  });
});

test("is cancelled, says so, and goes on when called again", async () => {
  using world = createSortWorld();
  const stop = new AbortController();
  const path = world.write("in", text);
  const manifest = join(world.path("job"), "manifest.jsonl");
  const sort = (read: () => AsyncIterable<Buffer>, signal?: AbortSignal) => {
    const stream: SortInput = { kind: "stream", name: "stream", open: read };
    const inputs = [{ kind: "file", path } as const, stream];
    return world.sort({ ...lines, inputs }, { ...(signal && { signal }) });
  };

  const cancelled = sort(async function* () {
    yield Buffer.from("x\n");
    while (!readFileSync(manifest, "utf8").includes('"kind":"run"')) {
      await delay(5);
    }
    stop.abort();
    yield Buffer.from("y\n");
  }, stop.signal);

  await expect(cancelled).rejects.toMatchObject({ reason: "CANCELLED" });
  expect(existsSync(world.path("out"))).toBe(false);
  const { reused } = await sort(async function* () {
    yield Buffer.from("x\ny\n");
  });
  expect(reused).toBe(1);
  world.write("in", `${text}\nx\ny\n`);
  expect(world.read("out").equals(await world.gnu())).toBe(true);
});

test.each([
  ["its first byte", {}, []],
  ["a header", { header: true }, ["a,b"]],
  ["its next row", { header: true }, ["a,b\n1,2\n"]],
])("does not wait for %s once it is cancelled", async (_what, csv, texts) => {
  using world = createSortWorld();
  const stop = new AbortController();
  const silent: SortInput = {
    kind: "stream",
    name: "silent",
    open: async function* () {
      yield* texts.map((each) => Buffer.from(each));
      stop.abort();
      await new Promise(() => {});
    },
  };

  const cancelled = world.sort(
    {
      record: { kind: "csv", ...csv },
      keys: [{ kind: "column", column: 1 }],
      inputs: [silent],
    },
    { signal: stop.signal },
  );

  await expect(cancelled).rejects.toMatchObject({ reason: "CANCELLED" });
});

test("tells what is wrong with an input while another says nothing", async () => {
  using world = createSortWorld();
  const path = world.write("in", '{"a":"no number"}\n');
  const silent: SortInput = {
    kind: "stream",
    name: "silent",
    open: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }),
  };
  const never = () => new Promise<never>(() => {});

  const sorted = world.sort({
    record: { kind: "ndjson" },
    keys: [{ kind: "path", path: "a", type: "number" }],
    inputs: [{ kind: "file", path }, silent],
  });

  await expect(sorted).rejects.toMatchObject({ reason: "INPUT_MALFORMED" });
});

test("reads ranges and writes in order, as an object store wants it", async () => {
  using world = createSortWorld();
  world.write("in", text);
  const bytes = Buffer.from(text);
  const ranges: SortInput = {
    kind: "ranges",
    name: "object",
    size: bytes.length,
    version: "1",
    read: async function* (start, end) {
      yield bytes.subarray(start, Math.min(start + 1_000, end));
      yield bytes.subarray(Math.min(start + 1_000, end), end);
    },
  };
  const pieces: Buffer[] = [];

  await world.sort({
    ...lines,
    inputs: [ranges],
    output: {
      kind: "stream",
      name: "object",
      write: async (piece) => {
        pieces.push(Buffer.from(piece));
      },
    },
  });

  expect(Buffer.concat(pieces).equals(await world.gnu())).toBe(true);
});

test("leaves sorted input where it is: merging copies nothing to temporary files", async () => {
  using world = createSortWorld();
  const sorted = `${text.split("\n").toSorted().join("\n")}\n`;
  const first = world.write("in", sorted);
  const second = world.write("second", sorted);

  const result = await world.sort({
    ...lines,
    inputs: [
      { kind: "file", path: first },
      { kind: "file", path: second },
    ],
  });

  expect(result.tempBytesWritten).toBeLessThan(statSync(first).size / 20);
  expect(result.recordsOut).toBe(120_000);
});

function write(path: string, text: string, position: number): void {
  const fd = openSync(path, "r+");
  writeSync(fd, text, position);
  closeSync(fd);
}

/** So many bytes, of which every third one ends a line. */
function shortLines(bytes: number): Buffer {
  const made = randomFillSync(Buffer.allocUnsafe(bytes));
  for (let i = 2; i < bytes; i += 3) made[i] = 10;
  return made;
}
