import { spawn } from "node:child_process";
import { lstatSync, readFileSync, symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createSortWorld, type SortWorld } from "./sort-world.ts";

const main = fileURLToPath(
  new URL("../../../services/sort/cli/main.ts", import.meta.url),
);

test.each([
  ["a FIFO", "mkfifo pipe; (sleep 0.3; echo b; echo a) >pipe & $sort pipe"],
  ["what a shell pipes in", "$sort <(echo b) <(echo a)"],
  ["standard input by its name", "printf 'b\\na\\n' | cat | $sort /dev/stdin"],
])("reads %s", async (_what, script) => {
  using world = createSortWorld();

  expect(await bash(world, script)).toEqual({ code: 0, out: "a\nb\n" });
});

test("reads a file of procfs, which has content and no size", async () => {
  using world = createSortWorld();

  const { out } = await bash(world, "$sort /proc/version");

  expect(out).toBe(readFileSync("/proc/version", "utf8"));
});

test.each([
  ["of which nobody writes", "$sort pipe"],
  ["that nobody reads", "$sort -o pipe in"],
])("does not wait for a FIFO %s once it is to end", async (_what, command) => {
  using world = createSortWorld();
  world.write("in", "b\na\n");
  const untilItWaits = `until [ -n "$(ls -A temp)" ]; do sleep 0.05; done; sleep 0.3`;

  const { code, out } = await bash(
    world,
    `mkfifo pipe; mkdir temp; ${command} -T temp 2>&1 & ${untilItWaits}; kill $!; wait $!`,
  );

  expect({ code, out }).toEqual({
    code: 2,
    out: "sort: CANCELLED: the sort was cancelled\n",
  });
});

test("writes to a FIFO, and leaves it one", async () => {
  using world = createSortWorld();
  world.write("in", "b\na\n");

  const { out } = await bash(world, "mkfifo pipe; $sort in -o pipe & cat pipe");

  expect(out).toBe("a\nb\n");
  expect(lstatSync(world.path("pipe")).isFIFO()).toBe(true);
});

test.each(["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])(
  "writes to what is open as %s: a pipe, and a file that others write too",
  async (path) => {
    using world = createSortWorld();
    world.write("in", "b\na\n");

    const piped = await bash(world, `$sort in -o ${path} | cat`);
    await bash(world, `(echo first; $sort in -o ${path}; echo last) >out`);

    expect(piped).toEqual({ code: 0, out: "a\nb\n" });
    expect(world.read("out").toString()).toBe("first\na\nb\nlast\n");
  },
);

test("says of a device that it has no more room", async () => {
  using world = createSortWorld();
  world.write("in", "b\na\n");

  const { code, out } = await bash(world, "$sort in -o /dev/full 2>&1");

  expect({ code, out }).toEqual({
    code: 2,
    out: "sort: OUTPUT_SPACE_SHORT: /dev/full cannot be written: its disk is full\n",
  });
});

test.each(["in", "yet-to-be-made"])(
  "sorts into the file behind a symlink: %s",
  async (target) => {
    using world = createSortWorld();
    world.write("in", "b\na\n");
    symlinkSync(target, world.path("link"));

    await bash(world, "$sort in -o link");

    expect(lstatSync(world.path("link")).isSymbolicLink()).toBe(true);
    expect(world.read(target).toString()).toBe("a\nb\n");
  },
);

/** Runs a script in the world's folder; `$sort` is ours in it. */
async function bash({ folder }: SortWorld, script: string) {
  const child = spawn("bash", ["-c", script], {
    cwd: folder,
    env: { ...process.env, sort: `${process.execPath} ${main}` },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    out += piece;
  });
  const code = await new Promise<number | null>((resolve) =>
    child.on("close", resolve),
  );
  return { code, out };
}
