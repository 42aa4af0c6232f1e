import { Code, ConnectError } from "@connectrpc/connect";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { SortJob_State } from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { eventually } from "../../support/eventually.ts";
import type { Fault } from "../../support/fault-proxy.ts";
import { uploadFile } from "../../support/upload-file.ts";
import {
  gnuSort,
  randomLines,
  settled,
  setupSort,
  type Sorter,
  type SortWorld,
} from "./sort-world.ts";

let world: SortWorld;
let source: string;
let wanted: Buffer;
beforeAll(async () => {
  world = await setupSort({
    settings: { SORT_SILENT_SECONDS: "4" },
    signsForProxy: true,
  });
  const name = await uploadFile(world.files(), lines, "text/plain");
  const { download } = await world.files().createDownload({ name });
  source = download?.url ?? "";
  wanted = await gnuSort(lines);
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.proxy.fault = () => undefined;
});

/** Enough for several runs of the smallest memory. */
const lines = randomLines(1_000_000);

test("kills a job's process that stands still, and goes on in another", async () => {
  const name = await beginAndHold("frozen-worker");
  const worker = await workerOf(world.sort().pid);
  process.kill(worker, "SIGSTOP");
  let mostAtOnce = 0;

  await eventually(
    "another process has the job",
    async () => {
      const workers = await workersOf(world.sort().pid);
      mostAtOnce = Math.max(mostAtOnce, workers.length);
      return workers.length === 1 && !workers.includes(worker);
    },
    60_000,
  );
  const done = await releasedJob(name);

  expect(mostAtOnce).toBe(1);
  expect(done.failure).toBeUndefined();
  expect(Number(done.result?.reused)).toBeGreaterThan(0);
  expect(await outputOf("frozen-worker")).toEqual(wanted);
}, 180_000);

test("cancels a job though its process stands still and is killed for it", async () => {
  const name = await beginAndHold("frozen-cancelled");
  const id = name.slice("sortJobs/".length);
  process.kill(await workerOf(world.sort().pid), "SIGSTOP");

  await world.client().cancelSortJob({ name });
  const done = await settled(world.client(), name);
  await eventually("its folder is gone", () => {
    return !existsSync(join(world.temp, "jobs", id));
  });

  expect(done.state).toBe(SortJob_State.CANCELLED);
}, 60_000);

test("ends a job's process while its service stands still, and goes on after that", async () => {
  const name = await beginAndHold("frozen-service");
  const { pid } = world.sort();
  const worker = await workerOf(pid);
  process.kill(pid, "SIGSTOP");

  // Its lease is not renewed: somebody else may have the job.
  await eventually("the process has ended", () => hasEnded(worker), 60_000);
  process.kill(pid, "SIGCONT");
  const done = await releasedJob(name);

  expect(done.failure).toBeUndefined();
  expect(Number(done.result?.reused)).toBeGreaterThan(0);
  expect(await outputOf("frozen-service")).toEqual(wanted);
}, 180_000);

test("takes a job over from a service that stands still, when nobody writes for it any more", async () => {
  const { process: other, client } = await world.another();
  const { name, owner, spare } = await beginBeside(other.pid, "taken-over");
  const worker = await workerOf(owner);
  process.kill(owner, "SIGSTOP");
  using _awake = wakesUp(owner);

  await eventually(
    "the other has the job",
    async () => (await workersOf(spare)).length === 1,
    60_000,
  );
  const hadEnded = await hasEnded(worker);
  const watching = spare === other.pid ? client : world.client();
  const done = await releasedJob(name, watching);
  process.kill(owner, "SIGCONT");
  await eventually("the first has dropped it", async () => {
    return (await workersOf(owner)).length === 0;
  });
  const later = await world.client().getSortJob({ name });

  expect(hadEnded).toBe(true);
  expect(done.failure).toBeUndefined();
  expect(later.job).toEqual(done);
  expect(await outputOf("taken-over")).toEqual(wanted);
  await other.terminate();
}, 180_000);

test("takes a job over from a service that sleeps with its job's process, whose waking changes nothing", async () => {
  const { process: other, client } = await world.another();
  const { name, owner, spare } = await beginBeside(other.pid, "slept");
  const worker = await workerOf(owner);
  for (const pid of [owner, worker]) process.kill(pid, "SIGSTOP");
  using _service = wakesUp(owner);
  using _worker = wakesUp(worker);

  await eventually(
    "the other has the job",
    async () => (await workersOf(spare)).length === 1,
    60_000,
  );
  const watching = spare === other.pid ? client : world.client();
  const done = await releasedJob(name, watching);
  for (const pid of [worker, owner]) process.kill(pid, "SIGCONT");
  await eventually("the first has dropped it", async () => {
    return (await workersOf(owner)).length === 0;
  });
  const later = await world.client().getSortJob({ name });

  expect(done.failure).toBeUndefined();
  expect(later.job).toEqual(done);
  expect(await outputOf("slept")).toEqual(wanted);
  await other.terminate();
}, 180_000);

test("drains in the middle of a job: a watch ends clearly, and the next start goes on from the manifest", async () => {
  const name = await beginAndHold("drained");
  const watch = watchToItsEnd(name);
  // One that is refused unread would be sent once more, to the next process.
  await watch.begun;

  const exitCode = await world.restart();
  const end = await watch.ended;
  const done = await releasedJob(name);

  expect(exitCode).toBe(0);
  expect(end).toBe(Code.Unavailable);
  expect(done.failure).toBeUndefined();
  expect(Number(done.result?.reused)).toBeGreaterThan(0);
  expect(await outputOf("drained")).toEqual(wanted);
}, 180_000);

test("counts no attempt that was given back by a drain", async () => {
  const name = await beginAndHold("drained-at-last");
  const id = name.slice("sortJobs/".length);
  // The last that it has.
  await world.db.query(`update sort_jobs set attempts = 12 where id = $1`, [
    id,
  ]);

  const exitCode = await world.restart();
  const done = await releasedJob(name);
  const { rows } = await world.db.query<{ attempts: number }>(
    `select attempts
     from sort_jobs
     where id = $1`,
    [id],
  );

  expect(exitCode).toBe(0);
  expect(rows).toEqual([{ attempts: 12 }]);
  expect(Number(done.result?.reused)).toBeGreaterThan(0);
}, 180_000);

/** Begins a job whose input stands almost still once there are runs of it, and waits until then. */
async function beginAndHold(path: string): Promise<string> {
  world.proxy.fault = holdTheRest;
  const { job } = await world.client().createSortJob({
    job: {
      spec: {},
      inputs: [{ source: { case: "url", value: source } }],
      output: { target: { case: "path", value: { folder: "outbox", path } } },
      memoryBytes: 230_000_000n,
    },
  });
  const name = job?.name ?? "";
  const id = name.slice("sortJobs/".length);
  const manifest = join(world.temp, "jobs", id, "work", "manifest.jsonl");
  await eventually(
    "a run is done",
    async () => {
      const text = await readFile(manifest, "utf8").catch(() => "");
      return text.includes('"kind":"run"');
    },
    60_000,
  );
  return name;
}

/** The same, with a second process that may as well be the one that takes it. */
async function beginBeside(other: number, path: string) {
  const name = await beginAndHold(path);
  const first = world.sort().pid;
  const isOthers = (await workersOf(other)).length > 0;
  return isOthers
    ? { name, owner: other, spare: first }
    : { name, owner: first, spare: other };
}

async function releasedJob(name: string, sorter: Sorter = world.client()) {
  world.proxy.fault = () => undefined;
  const done = await settled(sorter, name);
  expect(done.failure).toBeUndefined();
  expect(done.state).toBe(SortJob_State.SUCCEEDED);
  return done;
}

/** More than a run of that memory takes, and less than there is. */
const heldFrom = 24 << 20;

function holdTheRest({ headers }: IncomingMessage): Fault | undefined {
  const [, start = "0"] = /bytes=(\d+)-/.exec(headers.range ?? "") ?? [];
  return Number(start) >= heldFrom
    ? { kind: "slow", bytesPerSecond: 20_000 }
    : undefined;
}

/** When a watch has brought something, and what ends it. */
function watchToItsEnd(name: string) {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const watch = async (): Promise<Code | undefined> => {
    try {
      for await (const _ of world.client().watchSortJob({ name })) begin();
      return undefined;
    } catch (error) {
      return ConnectError.from(error).code;
    }
  };
  return { begun, ended: watch() };
}

function outputOf(path: string): Promise<Buffer> {
  return readFile(join(world.outbox, path));
}

/** Whatever comes of the test, the process goes on after it. */
function wakesUp(pid: number): Disposable {
  return {
    [Symbol.dispose]() {
      if (existsSync(`/proc/${pid}`)) process.kill(pid, "SIGCONT");
    },
  };
}

async function workerOf(service: number): Promise<number> {
  const [worker] = await workersOf(service);
  if (worker === undefined) throw new Error("no process works on the job");
  return worker;
}

/** The processes of jobs that a process of the service has. */
async function workersOf(service: number): Promise<number[]> {
  const file = `/proc/${service}/task/${service}/children`;
  const text = await readFile(file, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

/** Also of one that nobody has waited for yet. */
async function hasEnded(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text === "" || /\) [ZX] /.test(text);
}
