import { randomUUID } from "node:crypto";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  SortJob_Engine,
  SortJob_State,
  SortProgress_Phase,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import {
  LineKey_Type,
  NullsOrder,
  SortSpec_Mode,
  ValueType,
} from "../../../gen/ts/weft/sort/v1/sort_spec_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { uploadFile } from "../../support/upload-file.ts";
import {
  gnuSort,
  randomLines,
  reasonOf,
  runJob,
  settled,
  setupSort,
  type SortWorld,
  type StatedJob,
} from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort();
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.proxy.fault = () => undefined;
});

const bytes = randomLines(200_000);

test("goes from a local file to a sorted one with two URLs and a call", async () => {
  const name = await uploadFile(world.files(), bytes);

  const job = await runJob(world.client(), {
    spec: {},
    inputs: [{ source: { case: "file", value: name } }],
    output: newFile("sorted.txt"),
  });

  expect(job.failure).toBeUndefined();
  expect(job).toMatchObject({
    state: SortJob_State.SUCCEEDED,
    placement: { engine: SortJob_Engine.LOCAL },
    result: { recordsIn: 200_000n, recordsOut: 200_000n },
  });
  const sorted = await download(job.result?.file ?? "");
  expect(sorted.equals(await gnuSort(bytes))).toBe(true);
  expect(await announced(job.name)).toMatchObject({
    first: "SortJobCreated",
    last: "SortJobFinished",
  });
}, 60_000);

test("sorts from folder to folder by the keys that are asked for", async () => {
  const text = Array.from(
    { length: 5_000 },
    (_, n) => `name${n % 7}:${(n * 7919) % 1000}\n`,
  ).join("");
  await writeFile(join(world.inbox, "keys.txt"), text);

  const job = await runJob(world.client(), {
    spec: {
      keys: [
        {
          source: {
            case: "line",
            value: {
              separator: 58,
              start: { field: 2 },
              end: { field: 2 },
              type: LineKey_Type.NUMBER,
              reverse: true,
            },
          },
        },
      ],
    },
    inputs: [path("inbox", "keys.txt")],
    output: { target: path("outbox", "keys.sorted").source },
  });

  expect(job.failure).toBeUndefined();
  const sorted = await readFile(join(world.outbox, "keys.sorted"));
  const wanted = await gnuSort(Buffer.from(text), "-t:", "-k2,2nr");
  expect(sorted.equals(wanted)).toBe(true);
  await noRunsLeft(join(world.temp, "jobs"));
}, 60_000);

test("turns keys round that do not say which way they go", async () => {
  const text = Array.from({ length: 500 }, (_, n) => `${(n * 7919) % 83}\n`);
  await writeFile(join(world.inbox, "turned.txt"), text.join(""));

  const job = await runJob(world.client(), {
    ...toOutbox(path("inbox", "turned.txt"), "turned"),
    spec: {
      reverse: true,
      keys: [
        { source: { case: "line", value: { type: LineKey_Type.NUMBER } } },
      ],
    },
  } as StatedJob);

  expect(job.failure).toBeUndefined();
  const sorted = await readFile(join(world.outbox, "turned"));
  const wanted = await gnuSort(Buffer.from(text.join("")), "-n", "-r");
  expect(sorted.equals(wanted)).toBe(true);
}, 60_000);

test.each([
  { what: "a folder that is not named", folder: "etc", at: "passwd" },
  { what: "a link that leads out", folder: "inbox", at: "link/passwd" },
])("refuses to read by $what", async ({ folder, at }) => {
  await symlink("/etc", join(world.inbox, "link")).catch(() => undefined);

  const reason = await reasonOf(
    runJob(world.client(), toOutbox(path(folder, at))).then((job) => {
      if (job.failure) throw new Error(job.failure.reason);
    }),
  );

  expect(reason).toContain("INPUT_FORBIDDEN");
});

test.each(["../x", "/etc/passwd", "a/../../x", "a//b", "."])(
  "refuses the path %j at once",
  async (at) => {
    const call = world.client().createSortJob({
      job: toOutbox(path("inbox", at)),
    });

    expect(await reasonOf(call)).toBe("INVALID_FIELD");
  },
);

test("refuses a URL of a host that is not named", async () => {
  const call = world.client().createSortJob({
    job: toOutbox(url("http://169.254.169.254/latest/meta-data")),
  });

  expect(await reasonOf(call)).toBe("INPUT_FORBIDDEN");
});

test("writes through no link that leads out", async () => {
  await symlink("/tmp", join(world.outbox, "out")).catch(() => undefined);
  await writeFile(join(world.inbox, "a.txt"), "b\na\n");

  const job = await runJob(world.client(), {
    ...toOutbox(path("inbox", "a.txt")),
    output: { target: path("outbox", "out/x").source },
  } as StatedJob);

  expect(job.failure?.reason).toBe("OUTPUT_FORBIDDEN");
});

test("says what is wrong with the input, and leaves no output", async () => {
  const gz = gzipSync(bytes);
  await writeFile(
    join(world.inbox, "cut.gz"),
    gz.subarray(0, gz.length - 1000),
  );
  await writeFile(join(world.inbox, "bad.csv"), 'a,b\n1,2\n3,"4" 5\n');
  await writeFile(join(world.inbox, "keyless.ndjson"), '{"a":1}\n{"b":2}\n');
  const csv = {
    spec: {
      record: { case: "csv" as const, value: { header: true } },
      keys: [
        {
          source: {
            case: "column" as const,
            value: { column: { case: "name" as const, value: "a" } },
          },
        },
      ],
    },
  };
  const ndjson = {
    spec: {
      record: { case: "ndjson" as const, value: {} },
      keys: [
        {
          source: {
            case: "path" as const,
            value: {
              path: "a",
              type: ValueType.NUMBER,
              nulls: NullsOrder.ERROR,
            },
          },
        },
      ],
    },
  };
  const before = await readdir(world.outbox);

  const failures = [
    await failureOf(toOutbox(path("inbox", "nowhere.txt"))),
    await failureOf(toOutbox(path("inbox", "cut.gz"))),
    await failureOf({
      ...toOutbox(path("inbox", "bad.csv")),
      ...csv,
    } as StatedJob),
    await failureOf({
      ...toOutbox(path("inbox", "keyless.ndjson")),
      ...ndjson,
    } as StatedJob),
  ];

  expect(failures.map((failure) => failure?.reason)).toEqual([
    "INPUT_MISSING",
    "INPUT_TRUNCATED",
    "INPUT_MALFORMED",
    "KEY_ABSENT",
  ]);
  expect(failures[2]?.metadata["line"]).toBe("3");
  expect(failures[0]?.metadata).toEqual({ input: "inbox/nowhere.txt" });
  expect(JSON.stringify(failures)).not.toContain(world.folder);
  expect(await readdir(world.outbox)).toEqual(before);
  await noRunsLeft(join(world.temp, "jobs"));
}, 60_000);

test("reads on through resets and 503s of the store, to the same bytes", async () => {
  const name = await uploadFile(world.files(), bytes);
  const source = await urlOf(name);
  world.proxy.fault = (request, count) => {
    if (count % 3 === 1) return { kind: "status", status: 503 };
    if (count % 3 === 2) return { kind: "reset", afterBytes: 300_000 };
    return undefined;
  };

  const job = await runJob(
    world.client(),
    toOutbox(url(world.proxy.through(source)), "through-faults"),
  );

  expect(job.failure).toBeUndefined();
  const sorted = await readFile(join(world.outbox, "through-faults"));
  expect(sorted.equals(await gnuSort(bytes))).toBe(true);
}, 120_000);

test("gives an input up whose bytes change", async () => {
  const source = await urlOf(await uploadFile(world.files(), bytes));
  world.proxy.fault = (_, count) =>
    count > first + 1 ? { kind: "etag", etag: '"another"' } : undefined;
  const first = world.proxy.count();

  const failure = await failureOf(
    toOutbox(url(world.proxy.through(source)), "changed"),
  );

  expect(failure?.reason).toBe("INPUT_CHANGED");
}, 60_000);

test("waits for a fresh URL where one has expired, and goes on with it", async () => {
  const source = await urlOf(await uploadFile(world.files(), bytes));
  const through = world.proxy.through(source);
  let isExpired = true;
  const start = world.proxy.count();
  const body = "<Error><Message>Request has expired</Message></Error>";
  world.proxy.fault = (_, count) =>
    isExpired && count > start + 1
      ? { kind: "status", status: 403, body }
      : undefined;

  const job = await runJob(world.client(), toOutbox(url(through), "resumed"));
  const refused = await reasonOf(
    world.client().resumeSortJob({ name: job.name, inputUrls: { 3: through } }),
  );
  isExpired = false;
  await world
    .client()
    .resumeSortJob({ name: job.name, inputUrls: { 0: through } });
  const resumed = await settled(world.client(), job.name);

  expect(job).toMatchObject({
    state: SortJob_State.SUSPENDED,
    failure: { reason: "URL_EXPIRED", metadata: { position: "0" } },
  });
  expect(job.inputs[0]?.source.value).not.toContain("X-Amz");
  expect(refused).toBe("SPEC_INVALID");
  expect(resumed.state).toBe(SortJob_State.SUCCEEDED);
  const sorted = await readFile(join(world.outbox, "resumed"));
  expect(sorted.equals(await gnuSort(bytes))).toBe(true);
}, 60_000);

test("goes on after the service was killed in the middle of a job", async () => {
  const source = await urlOf(await uploadFile(world.files(), bytes));
  world.proxy.fault = () => ({ kind: "slow", bytesPerSecond: 2_000_000 });
  const { job } = await world.client().createSortJob({
    job: toOutbox(url(world.proxy.through(source)), "survivor"),
  });
  const name = job?.name ?? "";
  await eventually("the job reads", async () => {
    const { job: now } = await world.client().getSortJob({ name });
    return (
      (now?.progress?.bytesRead ?? 0n) > 0n ||
      now?.state === SortJob_State.SUCCEEDED
    );
  });

  await world.crash();
  world.proxy.fault = () => undefined;
  const done = await settled(world.client(), name);

  expect(done.failure).toBeUndefined();
  expect(done.state).toBe(SortJob_State.SUCCEEDED);
  const sorted = await readFile(join(world.outbox, "survivor"));
  expect(sorted.equals(await gnuSort(bytes))).toBe(true);
  await noRunsLeft(join(world.temp, "jobs"));
}, 120_000);

test("begins a job anew whose runs are on a disk that is out of reach", async () => {
  const source = await urlOf(await uploadFile(world.files(), bytes));
  world.proxy.fault = () => ({ kind: "slow", bytesPerSecond: 1_000_000 });
  const { job } = await world.client().createSortJob({
    job: toOutbox(url(world.proxy.through(source)), "elsewhere"),
  });
  const name = job?.name ?? "";
  await eventually("the job runs", async () => {
    const { job: now } = await world.client().getSortJob({ name });
    return now?.state === SortJob_State.RUNNING;
  });

  await world.crash({
    SORT_TEMP_FOLDER: join(world.folder, "another"),
    SORT_ABANDON_SECONDS: "10",
  });
  world.proxy.fault = () => undefined;
  const done = await settled(world.client(), name);
  await noRunsLeft(join(world.folder, "another", "jobs"));
  await world.crash();

  expect(done.failure).toBeUndefined();
  const sorted = await readFile(join(world.outbox, "elsewhere"));
  expect(sorted.equals(await gnuSort(bytes))).toBe(true);
}, 120_000);

test("stops a job on request, and removes what it left", async () => {
  const source = await urlOf(await uploadFile(world.files(), bytes));
  world.proxy.fault = () => ({ kind: "slow", bytesPerSecond: 200_000 });
  const sorter = world.client();
  const { job } = await sorter.createSortJob({
    job: toOutbox(url(world.proxy.through(source)), "cancelled"),
  });
  const name = job?.name ?? "";
  await eventually("the job runs", async () => {
    const { job: now } = await sorter.getSortJob({ name });
    return now?.progress?.phase === SortProgress_Phase.SORTING;
  });

  const early = await reasonOf(sorter.deleteSortJob({ name }));
  await sorter.cancelSortJob({ name });
  const done = await settled(sorter, name);
  const again = await sorter.cancelSortJob({ name });
  await eventually("the folder is gone", async () => {
    return (await readdir(join(world.temp, "jobs"))).length === 0;
  });
  await sorter.deleteSortJob({ name });

  expect(early).toBe("SORT_JOB_STATE");
  expect(done.state).toBe(SortJob_State.CANCELLED);
  expect(again.job?.state).toBe(SortJob_State.CANCELLED);
  expect(await reasonOf(sorter.getSortJob({ name }))).toBe(
    "SORT_JOB_NOT_FOUND",
  );
  expect(
    (await readdir(world.outbox)).filter((file) => file.includes("cancelled")),
  ).toEqual([]);
}, 60_000);

test("begins one job for one request id, and shows it to its tenant only", async () => {
  await writeFile(join(world.inbox, "one.txt"), "b\na\n");
  const sorter = world.client();
  const requestId = randomUUID();
  const job = toOutbox(path("inbox", "one.txt"), "one");

  const all = await Promise.all(
    [1, 2, 3].map(() => sorter.createSortJob({ job, requestId })),
  );
  const name = all[0]?.job?.name ?? "";
  const other = await reasonOf(
    sorter.createSortJob({ job: toOutbox(path("inbox", "x")), requestId }),
  );

  expect(new Set(all.map((each) => each.job?.name)).size).toBe(1);
  expect(other).toBe("REQUEST_ID_REUSED");
  expect(await reasonOf(world.client("other").getSortJob({ name }))).toBe(
    "SORT_JOB_NOT_FOUND",
  );
  expect((await world.client("other").listSortJobs({})).jobs).toEqual([]);
});

test("merges what is sorted, and refuses what is not", async () => {
  await writeFile(join(world.inbox, "one.sorted"), "a\nc\ne\n");
  await writeFile(join(world.inbox, "two.sorted"), "b\nd\n");
  await writeFile(join(world.inbox, "not.sorted"), "b\nd\nc\n");
  const merge = (other: string): StatedJob => ({
    spec: { mode: SortSpec_Mode.MERGE },
    inputs: [path("inbox", "one.sorted"), path("inbox", other)],
    output: { target: path("outbox", `merged-${other}`).source },
  });

  const merged = await runJob(world.client(), merge("two.sorted"));
  const refused = await failureOf(merge("not.sorted"));

  expect(merged.failure).toBeUndefined();
  expect(await readFile(join(world.outbox, "merged-two.sorted"), "utf8")).toBe(
    "a\nb\nc\nd\ne\n",
  );
  expect(refused).toMatchObject({
    reason: "NOT_SORTED",
    metadata: { input: "not.sorted", line: "3" },
  });
}, 60_000);

test("only looks whether an input is sorted, where that is asked", async () => {
  await writeFile(join(world.inbox, "yes"), "a\nb\nc\n");
  await writeFile(join(world.inbox, "no"), "a\nc\nb\n");
  const check = (name: string): StatedJob => ({
    spec: { mode: SortSpec_Mode.CHECK },
    inputs: [path("inbox", name)],
  });

  const yes = await runJob(world.client(), check("yes"));
  const no = await runJob(world.client(), check("no"));

  expect(yes.result).toMatchObject({ sorted: true, recordsIn: 3n });
  expect(no.result).toMatchObject({ sorted: false, firstUnsortedLine: 3n });
}, 60_000);

/** What a job leaves is removed after it is settled. */
async function noRunsLeft(folder: string): Promise<void> {
  await eventually("the job's folder is gone", async () => {
    return (await readdir(folder)).length === 0;
  });
}

async function failureOf(job: StatedJob) {
  return (await runJob(world.client(), job)).failure;
}

async function urlOf(name: string): Promise<string> {
  const { download: signed } = await world.files().createDownload({ name });
  return signed?.url ?? "";
}

async function download(name: string): Promise<Buffer> {
  const answer = await fetch(await urlOf(name));
  return Buffer.from(await answer.arrayBuffer());
}

function path(folder: string, at: string) {
  return { source: { case: "path" as const, value: { folder, path: at } } };
}

function url(value: string) {
  return { source: { case: "url" as const, value } };
}

function newFile(displayName: string) {
  return { target: { case: "newFile" as const, value: { displayName } } };
}

function toOutbox(
  input: ReturnType<typeof path> | ReturnType<typeof url>,
  name: string = randomUUID(),
): StatedJob {
  return {
    spec: {},
    inputs: [input],
    output: { target: path("outbox", name).source },
  };
}

async function announced(name: string) {
  const { rows } = await world.db.query<{ type: string }>(
    `select type
     from outbox
     where aggregate_id = $1
     order by position`,
    [name.slice("sortJobs/".length)],
  );
  const types = rows.map(({ type }) => type.split(".").at(-1));
  return { first: types[0], last: types.at(-1) };
}
