import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startLocalComponent } from "../../../deploy/local/component.ts";
import { keepRunning } from "../../../deploy/local/keep-running.ts";
import { waitUntil } from "../../../deploy/local/wait.ts";
import { isAlive, runDirectory } from "./setup.ts";

const DEADLINE_MS = 20_000;

test("starts a component that died again, each time with a line", async () => {
  await using world = await setup();

  for (const times of [1, 2]) {
    const pid = world.pid();
    process.kill(pid, "SIGKILL");
    await world.ready(times);
    expect(world.pid()).not.toBe(pid);
    expect(isAlive(world.pid())).toBe(true);
  }

  expect(world.lines[0]).toMatch(
    /^part: ended by itself \(SIGKILL\); starting it again in \d+ ms$/,
  );
  expect(world.lines[1]).toBe("part: ready again");
});

test("gives a component up that can't be started any more, and says why", async () => {
  await using world = await setup();

  await rm(world.allowed);
  await rm(world.answering);
  process.kill(world.pid(), "SIGKILL");
  await world.kept;

  expect(world.lines).toHaveLength(7);
  expect(world.lines.at(-1)).toMatch(
    /^part: given up after 6 starts: part is not available: it ended before it was ready \(exit code 4: error: not allowed\)/,
  );
}, 60_000);

test("leaves a component alone that is stopped", async () => {
  await using world = await setup();

  await world.stop();
  await world.kept;

  expect(world.lines).toEqual([]);
});

test("stops what it was starting when the mesh stops", async () => {
  await using world = await setup();

  await rm(world.answering);
  const first = world.pid();
  process.kill(first, "SIGKILL");
  await waitUntil(
    () => existsSync(join(world.directory.path, "run/part.pid")),
    {
      what: "the second start",
      deadlineMs: DEADLINE_MS,
    },
  );
  await world.end();

  expect(await world.directory.processes()).toEqual([]);
});

const SCRIPT = `
  import { existsSync } from "node:fs";
  if (!existsSync("allowed")) {
    console.error("error: not allowed");
    process.exit(4);
  }
  setInterval(() => {}, 1000);`;

async function setup() {
  const directory = await runDirectory();
  const inside = (name: string) => join(directory.path, name);
  const [script, allowed, answering] = [
    inside("part.mjs"),
    inside("allowed"),
    inside("answering"),
  ];
  await writeFile(script, SCRIPT);
  await writeFile(allowed, "");
  await writeFile(answering, "");
  const component = await startLocalComponent({
    process: {
      name: "part",
      directory: directory.path,
      command: process.execPath,
      args: [script],
      cwd: directory.path,
    },
    version: "1",
    address: "nowhere",
    probe: () => existsSync(answering),
    deadlineMs: DEADLINE_MS,
    signal: undefined,
  });
  const lines: string[] = [];
  const stopping = new AbortController();
  const kept = keepRunning(
    { onProgress: (line) => lines.push(line), signal: stopping.signal },
    component,
  );
  const end = async () => {
    stopping.abort();
    await component.stop();
    await kept;
  };
  return {
    directory,
    allowed,
    answering,
    lines,
    kept,
    pid: () => component.pid ?? Number.NaN,
    ready: (times: number) =>
      waitUntil(
        () =>
          lines.filter((line) => line === "part: ready again").length === times,
        { what: `${times} revivals`, deadlineMs: DEADLINE_MS },
      ),
    stop: component.stop,
    end,
    async [Symbol.asyncDispose]() {
      await end();
      await directory[Symbol.asyncDispose]();
    },
  };
}
