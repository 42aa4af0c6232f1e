import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { birthOf } from "../../../deploy/local/process-birth.ts";
import { startProcess } from "../../../deploy/local/process.ts";
import { waitUntil } from "../../../deploy/local/wait.ts";
import { isAlive, runDirectory } from "./setup.ts";

const LOCAL = join(import.meta.dirname, "..", "..", "..", "deploy", "local");
/** The guard grants 3 s of grace, then kills. */
const GUARD_MS = 8_000;

test("a process and its children are gone after SIGKILL of the parent", async () => {
  await using directory = await runDirectory();
  const parent = await startParentOf(directory.path, "sleep 600 & sleep 601");

  process.kill(parent.pid, "SIGKILL");

  await waitUntil(() => !isAlive(parent.childPid), {
    what: "the child to be gone",
    deadlineMs: GUARD_MS,
  });
  await waitUntil(async () => (await groupMembers(parent.childPid)) === 0, {
    what: "the child's group to be gone",
    deadlineMs: GUARD_MS,
  });
});

test("a process that ignores SIGTERM is gone too after SIGKILL of the parent", async () => {
  await using directory = await runDirectory();
  const parent = await startParentOf(
    directory.path,
    "trap '' TERM; while true; do sleep 1; done",
  );

  process.kill(parent.pid, "SIGKILL");

  await waitUntil(() => !isAlive(parent.childPid), {
    what: "the child to be gone",
    deadlineMs: GUARD_MS,
  });
});

test("a stop ends in SIGKILL when the process ignores the signal", async () => {
  await using directory = await runDirectory();
  const stubborn = await startProcess({
    name: "stubborn",
    directory: directory.path,
    command: "sh",
    args: ["-c", "trap '' TERM; echo deaf; while true; do sleep 1; done"],
  });
  await waitUntil(() => stubborn.lastLines().includes("deaf"), {
    what: "the trap",
    deadlineMs: 5_000,
  });

  const exit = await stubborn.stop(100);

  expect(exit.signal).toBe("SIGKILL");
  expect(isAlive(stubborn.pid)).toBe(false);
});

test("an orderly stop leaves the exit code to the process, and its last words in the log", async () => {
  await using directory = await runDirectory();
  const polite = await startProcess({
    name: "polite",
    directory: directory.path,
    command: "sh",
    args: [
      "-c",
      "trap 'echo bye; exit 7' TERM; echo here; while true; do sleep 0.05; done",
    ],
  });
  await waitUntil(() => polite.lastLines().includes("here"), {
    what: "the trap",
    deadlineMs: 5_000,
  });

  const exit = await polite.stop();

  expect(exit).toEqual({ code: 7, signal: null });
  expect(await readFile(polite.logFile, "utf8")).toBe("here\nbye\n");
});

test("a start waits for the process of the same name that an earlier run left, and kills it in the end", async () => {
  await using directory = await runDirectory();
  const options = {
    name: "twin",
    directory: directory.path,
    command: "sleep",
    args: ["600"],
  };
  const first = await startProcess(options);

  const second = await startProcess(options);

  expect(isAlive(first.pid)).toBe(false);
  expect(isAlive(second.pid)).toBe(true);
  await second.stop();
}, 20_000);

test("a start leaves a stranger alone that was given the pid of an earlier run's process", async () => {
  await using directory = await runDirectory();
  const options = {
    name: "twin",
    directory: directory.path,
    command: "sleep",
    args: ["600"],
  };
  const pidFile = join(directory.path, "run", "twin.pid");
  const first = await startProcess(options);
  const text = await readFile(pidFile, "utf8");
  await first.stop();
  const stranger = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
  onTestFinished(() => void stranger.kill());
  // The first may be born in the same hundredth of a second as the stranger; this process is older.
  const [, , ...command] = text.split("\n");
  const birth = await birthOf(process.pid);
  await writeFile(pidFile, [stranger.pid, birth, ...command].join("\n"));

  const second = await startProcess(options);

  expect(isAlive(stranger.pid ?? Number.NaN)).toBe(true);
  await second.stop();
}, 20_000);

/** A Node process that starts `script` guarded, as `npm start` starts its own. */
async function startParentOf(
  directory: string,
  script: string,
): Promise<{ pid: number; childPid: number }> {
  const file = join(directory, "parent.ts");
  await writeFile(
    file,
    `import { startProcess } from ${JSON.stringify(join(LOCAL, "process.ts"))};
     const child = await startProcess({
       name: "child", directory: ${JSON.stringify(directory)},
       command: "sh", args: ["-c", ${JSON.stringify(script)}],
     });
     console.log(child.pid);`,
  );
  const parent = spawn(process.execPath, [file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: parent.stdout }), "line");
  // Set once the process has written a line.
  return { pid: parent.pid as number, childPid: Number(line) };
}

async function groupMembers(group: number): Promise<number> {
  const list = spawn("ps", ["-A", "-o", "pgid=,stat="], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let members = 0;
  for await (const line of createInterface({ input: list.stdout })) {
    const [pgid, stat] = line.trim().split(/\s+/);
    if (Number(pgid) === group && !stat?.startsWith("Z")) members += 1;
  }
  return members;
}
