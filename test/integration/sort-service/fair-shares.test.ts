import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  SortJob_Engine,
  SortJob_State,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { uploadFile } from "../../support/upload-file.ts";
import {
  randomLines,
  runJob,
  settled,
  setupSort,
  type Sorter,
  type SortWorld,
  type StatedJob,
} from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort({
    signsForProxy: true,
    settings: {
      SORT_JOBS: "2",
      SORT_STREAMS: "2",
      SORT_TENANT_JOBS: "1",
      // A job has a quarter: 250 and 10 MB.
      SORT_MEMORY_BYTES: "1000000000",
      SORT_TEMP_BYTES: "40000000",
    },
  });
  for (const tenant of ["acme", "other"]) {
    await writeFile(join(await world.inboxOf(tenant), "small"), "b\na\n");
  }
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.proxy.fault = () => undefined;
});

test("runs another tenant's job at once where one has a job running and ten that wait", async () => {
  const [acme, other] = [world.client("acme"), world.client("other")];
  const held = await beginHeld(acme, "held");
  const waiting = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      acme.createSortJob({ job: jobFrom(inInbox("small"), `waiting-${n}`) }),
    ),
  );

  const done = await runJob(other, jobFrom(inInbox("small"), "others"));
  const { jobs } = await acme.listSortJobs({ pageSize: 50 });
  held.release();
  const names = [held.name, ...waiting.map(({ job }) => job?.name ?? "")];
  const all = await Promise.all(names.map((name) => settled(acme, name)));

  expect(done.state).toBe(SortJob_State.SUCCEEDED);
  expect(jobs.map(({ state }) => state)).toEqual([
    ...Array.from({ length: 10 }, () => SortJob_State.QUEUED),
    SortJob_State.RUNNING,
  ]);
  expect(all.map(({ state }) => state)).toEqual(
    names.map(() => SortJob_State.SUCCEEDED),
  );
}, 120_000);

test("gives a job its share of the temp space, whatever another does with its own", async () => {
  for (const tenant of ["acme", "other"]) {
    const inbox = await world.inboxOf(tenant);
    await writeFile(join(inbox, "large"), randomLines(500_000));
  }
  const alone = await runJob(
    world.client(),
    jobFrom(inInbox("large"), "alone"),
  );
  const held = await beginHeld(world.client("acme"), "held beside");

  const beside = await runJob(
    world.client("other"),
    jobFrom(inInbox("large"), "beside"),
  );
  held.release();
  const done = await settled(world.client("acme"), held.name);

  for (const { failure } of [alone, beside]) {
    expect(failure).toMatchObject({
      reason: "TEMP_SPACE_SHORT",
      metadata: { limit: "10000000" },
    });
  }
  expect(done.state).toBe(SortJob_State.SUCCEEDED);
}, 120_000);

test("counts an output that waits to be sent against the temp space of its job", async () => {
  const bytes = randomLines(170_000);
  await writeFile(join(world.inbox, "medium"), bytes);
  const source = inInbox("medium");
  const send = (engine: SortJob_Engine) =>
    runJob(world.client(), {
      spec: {},
      inputs: [{ source }],
      output: { target: { case: "newFile", value: { displayName: "sent" } } },
      engine,
    });

  const inFolder = await runJob(world.client(), jobFrom(source, "medium"));
  const estimated = await send(SortJob_Engine.UNSPECIFIED);
  const tried = await send(SortJob_Engine.LOCAL);

  expect(bytes.length).toBeLessThan(10_000_000);
  expect(2 * bytes.length).toBeGreaterThan(10_000_000);
  expect(inFolder.failure).toBeUndefined();
  for (const { failure } of [estimated, tried]) {
    expect(failure).toMatchObject({
      reason: "TEMP_SPACE_SHORT",
      metadata: { limit: "10000000" },
    });
  }
}, 120_000);

function inInbox(path: string) {
  return { case: "path", value: { folder: "inbox", path } } as const;
}

function jobFrom(
  source: ReturnType<typeof inInbox> | { case: "url"; value: string },
  path: string,
): StatedJob {
  return {
    spec: {},
    inputs: [{ source }],
    output: { target: { case: "path", value: { folder: "outbox", path } } },
  };
}

/** A job that runs, and reads nothing more until it is released. */
async function beginHeld(sorter: Sorter, path: string) {
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  const files = world.files("acme");
  const file = await uploadFile(files, Buffer.from("b\na\n"));
  const { download } = await files.createDownload({ name: file });
  world.proxy.fault = () => ({ kind: "hold", until });
  const source = { case: "url", value: download?.url ?? "" } as const;
  const { job } = await sorter.createSortJob({ job: jobFrom(source, path) });
  const name = job?.name ?? "";
  await eventually("the job runs", async () => {
    const { job: now } = await sorter.getSortJob({ name });
    return now?.state === SortJob_State.RUNNING;
  });
  return { name, release };
}
