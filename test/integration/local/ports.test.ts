import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../../deploy/local/ports.ts";
import { runDirectory } from "./setup.ts";

/** So many of 12,000 that one of the other's 90 would be among them. */
const MANY = 500;

test("no port is given to two processes, though nothing listens there", async () => {
  const theirs = await portsOfAnotherProcess(90);

  const ours = [];
  for (let n = 0; n < MANY; n += 1) ours.push(await freePort());

  expect(new Set(ours).size).toBe(MANY);
  expect(ours.filter((port) => theirs.includes(port))).toEqual([]);
});

test("ports that are asked for at once are different ones", async () => {
  const ports = await Promise.all(Array.from({ length: 150 }, freePort));

  expect(new Set(ports).size).toBe(150);
});

/** Of one that lives on until the test is over. */
async function portsOfAnotherProcess(count: number): Promise<number[]> {
  const directory = await runDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const file = join(directory.path, "neighbour.mjs");
  const ports = new URL("../../../deploy/local/ports.ts", import.meta.url);
  await writeFile(
    file,
    `import { freePort } from ${JSON.stringify(ports.href)};
     const ports = [];
     for (let n = 0; n < ${count}; n += 1) ports.push(await freePort());
     process.send(ports);
     process.on("disconnect", () => process.exit());`,
  );
  const child = fork(file);
  onTestFinished(() => void child.kill());
  const [given] = await once(child, "message");
  return given;
}
