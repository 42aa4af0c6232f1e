import { spawn, type ChildProcess } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseSortArgs } from "../../../services/sort/cli/parse-args.ts";
import { createSortWorld, digest, type SortWorld } from "./sort-world.ts";

const main = fileURLToPath(
  new URL("../../../services/sort/cli/main.ts", import.meta.url),
);

const cases = [
  { name: "lines", args: [], gnu: [], text: () => words(400_000) },
  { name: "unique numbers", args: ["-nu"], gnu: ["-nu"], text: numbers },
  {
    name: "keyed lines",
    args: ["-k2,2"],
    gnu: ["-k2,2"],
    text: () => words(150_000),
  },
  {
    name: "compressed input",
    args: ["-r"],
    gnu: ["-r"],
    text: () => words(150_000),
    isCompressed: true,
  },
];

test.each(cases)(
  "goes on after SIGKILL at any point and makes the same bytes: $name",
  async ({ args, gnu, text, isCompressed }) => {
    using world = createSortWorld();
    world.write("in", text());
    const expected = digest(await world.gnu(...gnu));
    if (isCompressed) await compress(world);

    for (let kill = 0; kill < 6; kill++) {
      const child = start(world, args);
      await untilManifestGrows(world, child);
      await delay((kill * 37) % 90);
      child.kill("SIGKILL");
      await ended(child);
      expect(isUntouched(world)).toBe(true);
    }
    const done = notedRuns(world);
    const { spec } = parseSortArgs(args);
    const { reused } = await world.sort(spec);

    expect(reused).toBeGreaterThanOrEqual(done);
    expect(digest(world.read("out"))).toBe(expected);
    expect(readdirSync(world.folder).toSorted()).toEqual(["in", "out"]);
  },
  120_000,
);

test("makes no run again that was whole when its process was killed", async () => {
  using world = createSortWorld();
  world.write("in", words(400_000));
  const child = start(world, []);
  while (child.exitCode === null && notedRuns(world) === 0) await delay(5);
  child.kill("SIGKILL");
  await ended(child);
  const done = notedRuns(world);

  const { reused, runs } = await world.sort(parseSortArgs([]).spec);

  expect(done).toBeGreaterThan(0);
  expect(reused).toBeGreaterThanOrEqual(done);
  expect(runs).toBeGreaterThanOrEqual(done);
  expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
}, 60_000);

test("lets no second sort into a job's folder, whatever its memory, and names the first", async () => {
  using world = createSortWorld();
  world.write("in", words(400_000));
  const first = start(world, []);
  await untilManifestGrows(world, first);
  first.kill("SIGSTOP");

  const second = start(world, ["-S", "300M"], "pipe");
  const err = collect(second.stderr);
  const code = await ended(second);
  first.kill("SIGCONT");

  expect({ code, err: err() }).toEqual({
    code: 2,
    err: `sort: FOLDER_IN_USE: another sort works in the job's folder ${world.path("job")}: process ${first.pid}\n`,
  });
  expect(await ended(first)).toBe(0);
  expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
}, 60_000);

test("makes the right bytes where two start at once", async () => {
  using world = createSortWorld();
  world.write("in", words(400_000));

  const codes = await Promise.all([
    ended(start(world, [], "ignore")),
    ended(start(world, [], "ignore")),
  ]);

  // One that comes too late for the other finds nothing, and begins anew.
  expect(codes).toContain(0);
  expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
}, 60_000);

test("does not share the output of unique records with a process before it, which may only have slept", async () => {
  using world = createSortWorld();
  const text = words(100_000);
  world.write("in", text);
  const spec = { record: { kind: "lines" }, unique: "first" } as const;
  const short = { tempBytes: 1.5 * text.length, countsOutput: true };
  await expect(world.sort(spec, short)).rejects.toMatchObject({
    reason: "TEMP_SPACE_SHORT",
  });
  const partial = readdirSync(world.folder).find((name) =>
    name.endsWith(".partial"),
  );
  const fd = openSync(world.path(partial ?? "none"), "r+");

  await world.sort(spec);
  // Where parts are moved together, what was right at a place need not be so any more.
  writeSync(fd, "late", 0);
  closeSync(fd);

  expect(digest(world.read("out"))).toBe(digest(await world.gnu("-u")));
});

test("makes runs again that were spoilt while no process ran", async () => {
  using world = createSortWorld();
  world.write("in", words(400_000));
  const child = start(world, []);
  await untilManifestGrows(world, child);
  child.kill("SIGKILL");
  await ended(child);
  for (const run of readdirSync(world.path("job"))) {
    if (/^run-\d+$/.test(run)) spoil(join(world.path("job"), run));
  }

  const code = await ended(start(world, []));

  expect(code).toBe(0);
  expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
}, 60_000);

test("refuses to go on when the input has changed", async () => {
  using world = createSortWorld();
  world.write("in", words(400_000));
  const child = start(world, []);
  await untilManifestGrows(world, child);
  child.kill("SIGKILL");
  await ended(child);
  world.write("in", words(10));

  const sorted = world.sort(parseSortArgs([]).spec);

  await expect(sorted).rejects.toMatchObject({ reason: "INPUT_CHANGED" });
}, 60_000);

test("stands still for a while and finishes all the same", async () => {
  using world = createSortWorld();
  world.write("in", words(200_000));
  const child = start(world, []);
  await untilManifestGrows(world, child);

  child.kill("SIGSTOP");
  await delay(300);
  child.kill("SIGCONT");

  expect(await ended(child)).toBe(0);
  expect(digest(world.read("out"))).toBe(digest(await world.gnu()));
}, 60_000);

function start(
  world: SortWorld,
  args: readonly string[],
  err: "inherit" | "pipe" | "ignore" = "inherit",
): ChildProcess {
  const means = ["-S", "256M", "--parallel", "2", "--job", world.path("job")];
  const places = ["-o", world.path("out"), world.path("in")];
  return spawn(process.execPath, [main, ...means, ...args, ...places], {
    stdio: ["ignore", "ignore", err],
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve(child.exitCode);
  }
  return new Promise((resolve) => child.once("close", resolve));
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = "";
  stream?.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  return () => text;
}

/** Until the job has noted one more thing that it has done, or is over. */
async function untilManifestGrows(
  world: SortWorld,
  child: ChildProcess,
): Promise<void> {
  const path = join(world.path("job"), "manifest.jsonl");
  const lines = () =>
    existsSync(path) ? readFileSync(path, "utf8").split("\n").length : 0;
  const before = Math.max(2, lines());
  while (child.exitCode === null && lines() <= before) await delay(5);
}

/** How many runs a job that is not over has noted to be whole. */
function notedRuns(world: SortWorld): number {
  const path = join(world.path("job"), "manifest.jsonl");
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (text.includes('"kind":"finished"')) return 0;
  return text.split('"kind":"run"').length - 1;
}

/** There is no output yet, or the whole one. */
function isUntouched(world: SortWorld): boolean {
  if (!existsSync(world.path("out"))) return true;
  return !existsSync(world.path("job")) || world.read("out").length > 0;
}

function spoil(path: string): void {
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 3);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
  writeFileSync(path, bytes);
}

async function compress(world: SortWorld): Promise<void> {
  const { gzipSync } = await import("node:zlib");
  world.write("in", gzipSync(world.read("in"), { level: 1 }));
}

function words(count: number): string {
  const made: string[] = [];
  let state = 7;
  for (let i = 0; i < count; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    made.push(
      `${state.toString(36)} ${(state >>> 9).toString(36)} ${"filler ".repeat(state % 12)}${i}`,
    );
  }
  return `${made.join("\n")}\n`;
}

function numbers(): string {
  const made: number[] = [];
  let state = 11;
  for (let i = 0; i < 1_500_000; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    made.push((state >>> 4) % 900_000);
  }
  return `${made.join("\n")}\n`;
}
