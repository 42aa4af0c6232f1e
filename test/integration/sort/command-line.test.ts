import {
  spawn,
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
} from "node:child_process";
import { randomFillSync } from "node:crypto";
import { chmodSync, createReadStream, mkdirSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createSortWorld } from "./sort-world.ts";

const main = fileURLToPath(
  new URL("../../../services/sort/cli/main.ts", import.meta.url),
);

test("sorts standard input to standard output", async () => {
  const { code, out } = await run(["-r"], "a\nc\nb");

  expect({ code, out }).toEqual({ code: 0, out: "c\nb\na\n" });
});

test("sorts files to a file, by keys", async () => {
  using world = createSortWorld();
  const input = world.write("in", "x 10\ny 9\n");

  const { code } = await run(["-k2n", "-o", world.path("out"), input]);

  expect(code).toBe(0);
  expect(world.read("out").toString()).toBe("y 9\nx 10\n");
});

test("sorts CSV by named columns", async () => {
  const csv = "name,age\nal,9\nbo,10\n";

  const { out } = await run(
    ["--csv", "--header", "--key", "age:number:desc"],
    csv,
  );

  expect(out).toBe("name,age\nbo,10\nal,9\n");
});

test("tells by its exit code whether a file is sorted, and where it is not", async () => {
  using world = createSortWorld();
  const sorted = world.write("in", "a\nb\nb\n");
  const unsorted = world.write("out", "a\nc\nb\n");

  expect((await run(["-c", sorted])).code).toBe(0);
  expect((await run(["-cu", sorted])).code).toBe(1);
  expect((await run(["-C", unsorted])).code).toBe(1);
  const { code, err } = await run(["-c", unsorted]);
  expect({ code, err }).toEqual({
    code: 1,
    err: `sort: ${unsorted}:3: disorder: b\n`,
  });
});

test.each([
  [["--nonsense"], "USAGE"],
  [["-k0"], "USAGE"],
  [["-t", "é", "-k2"], "USAGE"],
  [["-t", "", "-k2"], "USAGE"],
  [["/does/not/exist"], "INPUT_MISSING"],
  [["--csv", "--key", "absent", "--header", "-"], "KEY_ABSENT"],
])(
  "ends with 2 and one line that begins with the reason: %j",
  async (args, reason) => {
    const { code, err } = await run(args, "a,b\n1,2\n");

    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(`^sort: ${reason}: [^\n]*\n$`));
  },
);

test("leaves nothing behind where temporary space runs out", async () => {
  using world = createSortWorld();
  const input = world.write("in", "c\nb\na\n".repeat(100_000));
  const places = ["-T", world.path("temp"), "-o", world.path("out"), input];

  const { code, err } = await run(["--temp-limit=10K", ...places]);

  expect({ code, err }).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^sort: TEMP_SPACE_SHORT: /),
  });
  expect(readdirSync(world.folder).toSorted()).toEqual(["in", "temp"]);
  expect(readdirSync(world.path("temp"))).toEqual([]);
});

test("ends quietly where nobody reads on, and leaves nothing behind", async () => {
  using world = createSortWorld();
  const input = world.write("in", "c\nb\na\n".repeat(100_000));
  const temp = world.path("temp");
  const piped = `"$@" | head -n 1; exit "\${PIPESTATUS[0]}"`;
  const command = [process.execPath, main, "-T", temp, input];

  const child = spawn("bash", ["-c", piped, "bash", ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const code = await new Promise<number | null>((resolve) =>
    child.on("close", resolve),
  );

  expect({ code, out: out(), err: err() }).toEqual({
    code: 141,
    out: "a\n",
    err: "",
  });
  expect(readdirSync(temp)).toEqual([]);
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "leaves nothing behind after %s",
  async (signal) => {
    using world = createSortWorld();
    mkdirSync(world.path("temp"));
    const input = world.write("in", "c\nb\na\n".repeat(2_000_000));
    const places = ["-T", world.path("temp"), "-o", world.path("out"), input];
    const child = spawn(process.execPath, [main, ...places], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const err = collect(child.stderr);
    const ended = new Promise<number | null>((resolve) =>
      child.on("close", resolve),
    );
    while (readdirSync(world.path("temp")).length === 0) await delay(5);

    child.kill(signal);

    expect({ code: await ended, err: err() }).toEqual({
      code: 2,
      err: "sort: CANCELLED: the sort was cancelled\n",
    });
    expect(readdirSync(world.folder).toSorted()).toEqual(["in", "temp"]);
    expect(readdirSync(world.path("temp"))).toEqual([]);
  },
);

test.each([
  ["--ndjson", "--key=a:number", '{"a":"x"}\n', "INPUT_MALFORMED"],
  ["--csv", "--key=9:number", "a,b\n", "INPUT_MALFORMED"],
])(
  "tells what is wrong while standard input stays open: %s %s",
  async (kind, more, text, reason) => {
    const child = spawn(process.execPath, [main, kind, more], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    const err = collect(child.stderr);
    child.stdin.write(text);

    const code = await new Promise<number | null>((resolve) =>
      child.on("close", resolve),
    );

    expect(code).toBe(2);
    expect(err()).toMatch(new RegExp(`^sort: ${reason}: `));
  },
);

test.each(["sort", "check"])(
  "is interrupted while it waits for standard input: %s",
  async (what) => {
    using world = createSortWorld();
    const args = what === "check" ? ["-c"] : ["-T", world.path("temp")];
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    const err = collect(child.stderr);
    const ended = new Promise<number | null>((resolve) =>
      child.on("close", resolve),
    );
    // More than lies in the pipes on the way: it has begun to read.
    await new Promise((resolve) =>
      child.stdin.write("b\na\n".repeat(100_000), resolve),
    );

    child.kill("SIGINT");

    expect({ code: await ended, err: err() }).toEqual({
      code: 2,
      err: `sort: CANCELLED: the ${what} was cancelled\n`,
    });
  },
);

test("says that the disk is full where the system lets no file grow", async () => {
  using world = createSortWorld();
  const input = world.write("in", "c\nb\na\n".repeat(400_000));
  const places = ["-T", world.path("temp"), "-o", world.path("out"), input];
  // In KiB; the runs need more than 2 MB.
  const limited = `ulimit -f 1000; exec "$0" "$@"`;

  const child = spawn(
    "bash",
    ["-c", limited, process.execPath, main, ...places],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const err = collect(child.stderr);
  const code = await new Promise<number | null>((resolve) =>
    child.on("close", resolve),
  );

  expect({ code, err: err() }).toEqual({
    code: 2,
    err: "sort: TEMP_SPACE_SHORT: the disk is full\n",
  });
  expect(readdirSync(world.folder).toSorted()).toEqual(["in", "temp"]);
});

test.each([
  { what: "read", file: "closed", out: "out", reason: "INPUT_FORBIDDEN" },
  {
    what: "written",
    file: "in",
    out: "folder/out",
    reason: "OUTPUT_FORBIDDEN",
  },
])("says what may not be $what, and leaves nothing there", async (it) => {
  using world = createSortWorld();
  chmodSync(world.folder, 0o755);
  mkdirSync(world.path("folder"), { mode: 0o555 });
  world.write("in", "b\na\n");
  chmodSync(world.write("closed", "b\na\n"), 0);
  const args = [main, "-o", world.path(it.out), world.path(it.file)];

  // As nobody in particular: whoever runs the tests may be root, who may do everything.
  const child = spawn("unshare", ["--user", process.execPath, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const err = collect(child.stderr);
  const code = await new Promise<number | null>((done) =>
    child.on("close", done),
  );

  expect({ code, err: err() }).toMatchObject({
    code: 2,
    err: expect.stringMatching(new RegExp(`^sort: ${it.reason}: [^\n]*\n$`)),
  });
  expect(readdirSync(world.path("folder"))).toEqual([]);
});

test("shows how far it is where that is asked for, and wipes it away in the end", async () => {
  using world = createSortWorld();
  const input = world.write("in", "b\na\n");

  const { code, err } = await run([
    "--progress",
    "-o",
    world.path("out"),
    input,
  ]);

  expect(code).toBe(0);
  expect(err).toContain(`finishing [${"#".repeat(24)}] 100 % `);
  expect(err.endsWith("\r\x1b[K")).toBe(true);
});

test("keeps within its memory budget as the system counts it", async () => {
  using world = createSortWorld();
  const input = world.write(
    "in",
    "some line of text to be sorted 0123456789\n".repeat(3_000_000),
  );

  const { code, peakBytes } = await run([
    "-S",
    "256M",
    "-o",
    world.path("out"),
    input,
  ]);

  expect(code).toBe(0);
  expect(peakBytes).toBeLessThanOrEqual(256 << 20);
});

test.each(["a file", "standard input"])(
  "keeps within its memory budget from %s to standard output",
  async (from) => {
    using world = createSortWorld();
    const input = world.write("in", randomLines(270_000_000));
    const isFile = from === "a file";

    const child = start(["-S", "256M", ...(isFile ? [input] : [])]);
    if (!isFile) createReadStream(input).pipe(child.stdin);
    let outBytes = 0;
    child.stdout.on("data", (piece: Buffer) => (outBytes += piece.length));
    const { code, peakBytes } = await ended(child);

    expect({ code, outBytes }).toEqual({ code: 0, outBytes: 270_000_000 });
    expect(peakBytes).toBeLessThanOrEqual(256 << 20);
  },
  60_000,
);

/** So many bytes in lines of 100. */
function randomLines(bytes: number): Buffer {
  const lines = randomFillSync(Buffer.allocUnsafe(bytes));
  for (let i = 0; i < bytes; i++) if (lines[i] === 10) lines[i] = 11;
  for (let i = 99; i < bytes; i += 100) lines[i] = 10;
  return lines;
}

async function run(args: readonly string[], input = "") {
  const child = start(args);
  child.stdin.end(input);
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const { code, peakBytes } = await ended(child);
  return { code, out: out(), err: err(), peakBytes };
}

/** Starts the command so that it reports its highest RSS on its end. */
function start(args: readonly string[]): ChildProcessWithoutNullStreams {
  // Its own highest: `maxRSS` is also that of the process which started it, and the tests' is large.
  const report = `const { readFileSync } = process.getBuiltinModule("node:fs");
    const peak = () => /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    process.on("exit", () => process.send?.(peak()))`;
  const preload = `data:text/javascript,${encodeURIComponent(report)}`;
  const child = spawn(process.execPath, ["--import", preload, main, ...args], {
    stdio: ["pipe", "pipe", "pipe", "ipc"],
  });
  // All three are pipes.
  return child as ChildProcessWithoutNullStreams;
}

async function ended(child: ChildProcess) {
  let peakBytes = 0;
  child.on("message", (kilobytes) => (peakBytes = Number(kilobytes) * 1024));
  const code = await new Promise<number | null>((resolve) =>
    child.on("close", resolve),
  );
  return { code, peakBytes };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = "";
  stream?.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  return () => text;
}
