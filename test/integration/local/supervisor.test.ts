import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSupervisor } from "../../../deploy/local/supervisor.ts";
import { waitUntil } from "../../../deploy/local/wait.ts";
import { isAlive, runDirectory } from "./setup.ts";

const DEADLINE_MS = 15_000;

test("starts a service that died again, with a clear line", async () => {
  await using world = await setup(READY_AND_STAY);
  await world.supervisor.start(world.service);
  const first = world.pid();

  process.kill(first, "SIGKILL");
  await world.line("service: ready again");

  expect(world.pid()).not.toBe(first);
  expect(world.lines[0]).toMatch(
    /^service: ended \(SIGKILL\); starting it again in \d+ ms$/,
  );
});

test("waits longer from death to death", async () => {
  await using world = await setup(READY_AND_DIE_FROM_THE_SECOND_START);
  await world.supervisor.start(world.service);
  process.kill(world.pid(), "SIGKILL");

  await waitUntil(() => world.delays().length >= 4, {
    what: "four restarts",
    deadlineMs: DEADLINE_MS,
  });

  // Equal jitter: half a step at least, a whole one at most; steps double.
  world
    .delays()
    .slice(0, 4)
    .forEach((delay, death) => {
      expect(delay).toBeGreaterThanOrEqual(125 * 2 ** death);
      expect(delay).toBeLessThanOrEqual(250 * 2 ** death);
    });
}, 20_000);

test("refuses a service that ends before it is ready, with its reason", async () => {
  await using world = await setup(`throw new Error("no such database");`);

  await expect(world.supervisor.start(world.service)).rejects.toThrow(
    /service is not available: it ended before it was ready \(exit code 1: Error: no such database\)/,
  );
});

test("refuses a service that is not ready in time, with what it said last", async () => {
  await using world = await setup("", { readyMs: 3_000 });
  const waits = {
    ...world.service,
    command: "sh",
    args: ["-c", "echo waits for the database; sleep 60"],
  };

  await expect(world.supervisor.start(waits)).rejects.toThrow(
    /^service is not available: it was not ready within 3 s \(waits for the database\)\. Its log is .*service\.log\.$/,
  );
});

test("restarts a service on request without counting it as a death", async () => {
  await using world = await setup(READY_AND_STAY);
  await world.supervisor.start(world.service);
  const first = world.pid();

  await world.supervisor.restart("service");

  expect(isAlive(first)).toBe(false);
  expect(isAlive(world.pid())).toBe(true);
  expect(world.lines).toEqual([]);
});

test("stops the last started first, and revives nothing after that", async () => {
  await using world = await setup(NOTE_ITS_END);
  await world.supervisor.start(world.named("first"));
  await world.supervisor.start(world.named("second"));

  await world.supervisor.stop();

  const ends = await readFile(join(world.directory, "ends"), "utf8");
  expect(ends).toBe("second\nfirst\n");
  expect(world.supervisor.pids()).toEqual({});
});

const READY_AND_STAY = `process.send("ready"); setInterval(() => {}, 1000);`;

const READY_AND_DIE_FROM_THE_SECOND_START = `
  import { existsSync, writeFileSync } from "node:fs";
  process.send("ready");
  if (existsSync("started")) setTimeout(() => process.exit(3), 150);
  else { writeFileSync("started", ""); setInterval(() => {}, 1000); }`;

const NOTE_ITS_END = `
  import { appendFileSync } from "node:fs";
  process.on("SIGTERM", () => {
    appendFileSync("ends", process.env.NAME + "\\n");
    process.exit(0);
  });
  process.send("ready");
  setInterval(() => {}, 1000);`;

async function setup(script: string, options: { readyMs?: number } = {}) {
  const directory = await runDirectory();
  const file = join(directory.path, "service.mjs");
  await writeFile(file, script);
  const lines: string[] = [];
  const supervisor = createSupervisor({
    directory: directory.path,
    onProgress: (line) => lines.push(line),
    ...options,
  });
  const named = (name: string) => ({
    name,
    command: process.execPath,
    args: [file],
    env: { NAME: name },
    cwd: directory.path,
  });
  return {
    directory: directory.path,
    lines,
    supervisor,
    named,
    service: named("service"),
    pid: () => supervisor.pids()["service"] ?? Number.NaN,
    delays: () =>
      lines.flatMap((line) => {
        const delay = /again in (\d+) ms/.exec(line)?.[1];
        return delay === undefined ? [] : [Number(delay)];
      }),
    line: (wanted: string) =>
      waitUntil(() => lines.includes(wanted), {
        what: `the line "${wanted}"`,
        deadlineMs: DEADLINE_MS,
      }),
    async [Symbol.asyncDispose]() {
      await supervisor.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}
