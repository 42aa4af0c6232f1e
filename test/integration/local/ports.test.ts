import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { claimPort, freePort } from "../../../deploy/local/ports.ts";
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

test("a preferred port that several claim at once is one's until it lets go", async () => {
  const preferred = await freePort();

  const [one, two] = await Promise.all([
    claimPort(preferred),
    claimPort(preferred),
  ]);
  const [winner, other] = one.port === preferred ? [one, two] : [two, one];
  const second = await claimPort(preferred);
  await winner[Symbol.asyncDispose]();
  await using last = await claimPort(preferred);

  expect(winner.port).toBe(preferred);
  expect([other.port, second.port]).not.toContain(preferred);
  expect(last.port).toBe(preferred);
});

test("a preferred port that somebody listens on is not claimed", async () => {
  const preferred = await freePort();
  const squatter = createServer().listen(preferred, "127.0.0.1");
  onTestFinished(() => void squatter.close());
  await once(squatter, "listening");

  const { port } = await claimPort(preferred);

  expect(port).not.toBe(preferred);
});

/** Of one that lives on until the test is over. */
async function portsOfAnotherProcess(count: number): Promise<number[]> {
  const directory = await runDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const file = join(directory.path, "neighbour.mjs");
  const ports = new URL("../../../deploy/local/ports.ts", import.meta.url);
  await writeFile(
    file,
    `import { claimPort, freePort } from ${JSON.stringify(ports.href)};
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
