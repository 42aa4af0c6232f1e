import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SortJob } from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { runJob, setupSort, type SortWorld } from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort();
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());

test("keeps apart what tenants read and write under the same names", async () => {
  for (const tenant of ["acme", "other"]) {
    const inbox = await world.inboxOf(tenant);
    await writeFile(join(inbox, "own"), `z of ${tenant}\na of ${tenant}\n`);
  }

  const own = await run("acme", "own");
  const others = await run("other", "own");

  expect([own.failure, others.failure]).toEqual([undefined, undefined]);
  for (const tenant of ["acme", "other"]) {
    const sorted = await readFile(join(outboxOf(tenant), "own"), "utf8");
    expect(sorted).toBe(`a of ${tenant}\nz of ${tenant}\n`);
  }
}, 60_000);

test.each(["other", "Acme", "..", "../acme", ".", "acme/../acme", "acme%"])(
  "shows nothing of another tenant's to the tenant %j",
  async (tenant) => {
    await writeFile(join(world.inbox, "secret"), "b\na\n");

    const jobs = [
      await run(tenant, "secret"),
      await run(tenant, "acme/secret"),
      await run(tenant, "inbox/acme/secret"),
    ];

    expect(jobs.map(({ failure }) => failure?.reason)).toEqual([
      "INPUT_MISSING",
      "INPUT_MISSING",
      "INPUT_MISSING",
    ]);
  },
  60_000,
);

test("makes a place for the output of a tenant whose name is no name of a folder", async () => {
  await writeFile(join(await world.inboxOf("%2e%2e"), "in"), "b\na\n");

  const job = await run("..", "in");

  expect(job.failure).toBeUndefined();
  const sorted = await readFile(join(outboxOf("%2e%2e"), "in"), "utf8");
  expect(sorted).toBe("a\nb\n");
  expect(await readdir(join(world.outbox, "..", ".."))).toContain("outbox");
}, 60_000);

test("follows no link into another tenant's part of a folder", async () => {
  await writeFile(join(world.inbox, "in"), "b\na\n");
  await symlink("../other", join(world.inbox, "others"));
  await symlink("../other", join(world.outbox, "others"));
  await world.inboxOf("other");
  await symlink("acme", join(world.inbox, "..", "linked"));
  await symlink("acme", join(world.outbox, "..", "linked"));

  const jobs = [
    await run("acme", "others/own"),
    await run("acme", "in", "others/out"),
    await run("linked", "in"),
  ];

  expect(jobs.map(({ failure }) => failure?.reason)).toEqual([
    "INPUT_FORBIDDEN",
    "OUTPUT_FORBIDDEN",
    "INPUT_FORBIDDEN",
  ]);
}, 60_000);

function run(
  tenant: string,
  from: string,
  to = from.replaceAll("/", "-"),
): Promise<SortJob> {
  return runJob(world.client(tenant), {
    spec: {},
    inputs: [{ source: inFolder("inbox", from) }],
    output: { target: inFolder("outbox", to) },
  });
}

function inFolder(folder: string, path: string) {
  return { case: "path", value: { folder, path } } as const;
}

function outboxOf(folder: string): string {
  return join(world.outbox, "..", folder);
}
