import { existsSync, watch } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SortJob_State } from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { cancelJob } from "../../../services/sort/store/sort-jobs.ts";
import { eventually } from "../../support/eventually.ts";
import { uploadFile } from "../../support/upload-file.ts";
import {
  randomLines,
  settled,
  setupSort,
  type SortWorld,
} from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort({ signsForProxy: true });
  await writeFile(join(world.inbox, "large"), randomLines(2_000_000));
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());

test("leaves nothing of a job that is cancelled after its process was killed in its merge", async () => {
  const { name, id, release } = await killInMerge("cancelled");

  const { job } = await world.client().cancelSortJob({ name });
  const after = await readdir(world.outbox);
  await release();

  expect(job?.state).toBe(SortJob_State.CANCELLED);
  expect(after).toEqual([]);
  expect(existsSync(runsOf(id))).toBe(false);
}, 120_000);

test("sweeps what is left of a job that was cancelled where its runs are not", async () => {
  const { id, release } = await killInMerge("swept");

  // As a process on another machine does.
  await cancelJob(world.db, "acme", id, new Date());
  const left = await readdir(world.outbox);
  await world.crash();
  await eventually("its runs are gone", async () => !existsSync(runsOf(id)));
  await release();

  expect(left).toEqual([expect.stringMatching(/^\.swept\.\w+\.partial$/)]);
  expect(await readdir(world.outbox)).toEqual([]);
}, 120_000);

/**
 * Kills a job's process as soon as there is something of its output, while another job of its tenant waits to take its
 * place, and holds it: so the job stays in the queue.
 */
async function killInMerge(path: string) {
  const sorter = world.client();
  const { job } = await sorter.createSortJob({
    job: {
      spec: {},
      inputs: [{ source: inFolder("inbox", "large") }],
      output: { target: inFolder("outbox", path) },
    },
  });
  const name = job?.name ?? "";
  const holder = await beginHeld();
  let worker = 0;
  await eventually("the job's process runs", async () => {
    worker = await workerOf(world.sort().pid);
    return worker > 0;
  });
  const { promise: isKilled, resolve: killed } = Promise.withResolvers<void>();
  const watching = watch(world.outbox, () => {
    watching.close();
    process.kill(worker, "SIGKILL");
    killed();
  });
  await isKilled;
  await eventually("the other job runs", async () => {
    const { job: now } = await sorter.getSortJob({ name: holder.name });
    return now?.state === SortJob_State.RUNNING;
  });
  const { job: queued } = await sorter.getSortJob({ name });
  const partials = await readdir(world.outbox);
  expect(queued?.state).toBe(SortJob_State.QUEUED);
  expect(partials).toEqual([expect.stringMatching(/\.partial$/)]);
  return {
    name,
    id: name.slice("sortJobs/".length),
    release() {
      holder.release();
      return settled(sorter, holder.name);
    },
  };
}

/** A job that waits for its input, once it runs, until it is released. */
async function beginHeld() {
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  const file = await uploadFile(world.files(), Buffer.from("b\na\n"));
  world.proxy.fault = () => ({ kind: "hold", until });
  const { job } = await world.client().createSortJob({
    job: {
      spec: {},
      inputs: [{ source: { case: "file", value: file } }],
      output: { target: { case: "newFile", value: { displayName: "held" } } },
    },
  });
  return { name: job?.name ?? "", release };
}

function inFolder(folder: string, path: string) {
  return { case: "path", value: { folder, path } } as const;
}

function runsOf(id: string): string {
  return join(world.temp, "jobs", id);
}

/** The process of a job that a process of the service has; 0 where there is none. */
async function workerOf(service: number): Promise<number> {
  const file = `/proc/${service}/task/${service}/children`;
  const [worker = "0"] = (await readFile(file, "utf8")).split(" ");
  return Number(worker);
}
