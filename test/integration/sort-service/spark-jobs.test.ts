import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import {
  SortJob_Engine,
  SortJob_State,
  type SortJob,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import {
  LineKey_Type,
  SortSpec_Unique,
  type SortSpecSchema,
} from "../../../gen/ts/weft/sort/v1/sort_spec_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { setupSpark, type SparkUnderTest } from "../../support/spark.ts";
import {
  gnuSort,
  randomLines,
  runJob,
  settled,
  setupSort,
  type SortWorld,
  type StatedJob,
} from "./sort-world.ts";

let spark: SparkUnderTest;
let world: SortWorld;
beforeAll(async () => {
  spark = await setupSpark();
  world = await setupSort({
    settings: (folders) => ({
      SORT_SPARK_REMOTE: spark.remote,
      // Two jobs and two streams have 10 MB each.
      SORT_TEMP_BYTES: "40000000",
      SORT_SPARK_FOLDERS: `inbox=file://${folders.inbox},outbox=file://${folders.outbox}`,
    }),
  });
}, 900_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await spark[Symbol.asyncDispose]();
});

type Spec = MessageInitShape<typeof SortSpecSchema>;
type LineKey = Extract<
  NonNullable<NonNullable<Spec["keys"]>[number]["source"]>,
  { case: "line" }
>["value"];

function lineKey(value: LineKey): NonNullable<Spec["keys"]>[number] {
  return { source: { case: "line", value } };
}

const second = { separator: 58, start: { field: 2 }, end: { field: 2 } };

test.each<{ what: string; spec: Spec; gnu: string[] }>([
  { what: "any bytes", spec: {}, gnu: [] },
  { what: "any bytes, largest first", spec: { reverse: true }, gnu: ["-r"] },
  {
    what: "decimals of any length",
    spec: { keys: [lineKey({ type: LineKey_Type.NUMBER })] },
    gnu: ["-n"],
  },
  {
    what: "decimals, largest first",
    spec: { reverse: true, keys: [lineKey({ type: LineKey_Type.NUMBER })] },
    gnu: ["-n", "-r"],
  },
  {
    what: "a field and a number, each with its direction",
    spec: {
      keys: [
        lineKey({ ...second, reverse: true }),
        lineKey({
          separator: 58,
          start: { field: 3 },
          type: LineKey_Type.NUMBER,
        }),
      ],
    },
    gnu: ["-t:", "-k2,2r", "-k3n"],
  },
  {
    what: "a field, ties in the order of the input",
    spec: { stable: true, keys: [lineKey(second)] },
    gnu: ["-s", "-t:", "-k2,2"],
  },
  {
    what: "each line once",
    spec: { unique: SortSpec_Unique.FIRST },
    gnu: ["-u"],
  },
])(
  "sorts by $what on Spark to the bytes of our engine",
  async (it) => {
    const inputs = await writeInputs(it.what);
    const on = (engine: SortJob_Engine, path: string) =>
      runJob(world.client(), jobOf(inputs, path, it.spec, engine));

    const there = await on(SortJob_Engine.SPARK, `${it.what} there`);
    const here = await on(SortJob_Engine.LOCAL, `${it.what} here`);

    expect(there.failure).toBeUndefined();
    expect(here.failure).toBeUndefined();
    const wanted = await readFile(join(world.outbox, `${it.what} here`));
    const { bytes, parts } = await outputOf(there, `${it.what} there`);
    expect(parts).toBeGreaterThan(1);
    expect(bytes.equals(wanted)).toBe(true);
    const all = Buffer.concat(
      await Promise.all(
        inputs.map((name) => readFile(join(world.inbox, name))),
      ),
    );
    expect(wanted.equals(await gnuSort(all, ...it.gnu))).toBe(true);
    expect(there.result).toMatchObject({
      recordsIn: here.result?.recordsIn,
      recordsOut: here.result?.recordsOut,
      bytesOut: here.result?.bytesOut,
    });
  },
  120_000,
);

test.each<{ what: string; field: string; job: Partial<StatedJob> }>([
  {
    what: "months",
    field: "job.spec.keys[0].line.type",
    job: { spec: { keys: [lineKey({ type: LineKey_Type.MONTH })] } },
  },
  {
    what: "keys that start inside a field",
    field: "job.spec.keys[0].line",
    job: {
      spec: {
        keys: [lineKey({ separator: 58, start: { field: 2, character: 3 } })],
      },
    },
  },
  {
    what: "letters of either case",
    field: "job.spec.keys[0].line.fold_case",
    job: { spec: { keys: [lineKey({ foldCase: true })] } },
  },
  {
    what: "one line a key",
    field: "job.spec.unique",
    job: {
      spec: {
        unique: SortSpec_Unique.FIRST,
        keys: [lineKey({ type: LineKey_Type.NUMBER })],
      },
    },
  },
  {
    what: "CSV",
    field: "job.spec.csv",
    job: {
      spec: {
        record: { case: "csv", value: {} },
        keys: [
          {
            source: {
              case: "column",
              value: { column: { case: "number", value: 1 } },
            },
          },
        ],
      },
    },
  },
  {
    what: "lines that end with NUL",
    field: "job.spec.lines.delimiter",
    job: { spec: { record: { case: "lines", value: { delimiter: 0 } } } },
  },
  {
    what: "what is compressed",
    field: "job.inputs[0]",
    job: jobOf(["packed.gz"], "x"),
  },
  {
    what: "what looks like a pattern",
    field: "job.inputs[0].path",
    job: jobOf(["*"], "x"),
  },
  {
    what: "files of the store",
    field: "job.output",
    job: {
      output: { target: { case: "newFile", value: { displayName: "x" } } },
    },
  },
])("refuses $what on Spark at once, and names the field", async (it) => {
  const call = world.client().createSortJob({
    job: { ...jobOf(["any"], "any"), ...it.job } as StatedJob,
  });

  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );

  expect(error?.findDetails(ErrorInfoSchema)[0]).toMatchObject({
    reason: "SPARK_UNAVAILABLE",
    metadata: { field: it.field },
  });
});

test("says what is wrong with an input or the output, and leaves nothing", async () => {
  await writeFile(join(world.inbox, "marked"), "\ufeffb\na\n");
  await writeFile(join(world.inbox, "plain"), "b\na\n");
  await writeFile(join(world.outbox, "taken"), "of somebody");
  const before = await readdir(world.outbox);

  const failures = [
    await runJob(world.client(), jobOf(["marked"], "x1")),
    await runJob(world.client(), jobOf(["nowhere"], "x2")),
    await runJob(world.client(), jobOf(["plain"], "taken")),
  ];

  expect(failures.map(({ failure }) => failure?.reason)).toEqual([
    "SPARK_UNAVAILABLE",
    "INPUT_MISSING",
    "OUTPUT_FAILED",
  ]);
  expect(await readdir(world.outbox)).toEqual(before);
  expect(await readFile(join(world.outbox, "taken"), "utf8")).toBe(
    "of somebody",
  );
}, 60_000);

test("reads and writes in the folder of a tenant whose name is escaped", async () => {
  const inbox = await world.inboxOf("%47lobex%20%2a");
  await writeFile(join(inbox, "in"), "b\na\n");

  const job = await runJob(world.client("Globex *"), jobOf(["in"], "out"));

  expect(job.failure).toBeUndefined();
  const folder = join(world.outbox, "..", "%47lobex%20%2a", "out");
  const parts = (job.result?.parts ?? []).map((part) =>
    readFile(join(folder, part), "utf8"),
  );
  expect((await Promise.all(parts)).join("")).toBe("a\nb\n");
}, 60_000);

test("goes on with the same operation after the service was killed", async () => {
  await writeLarge("large");
  const begun = await beginOnSpark(jobOf(["large"], "survivor"));
  process.kill(spark.pid(), "SIGSTOP");

  await world.crash();
  process.kill(spark.pid(), "SIGCONT");
  const done = await settled(world.client(), begun.name);

  expect(done.failure).toBeUndefined();
  expect(done.state).toBe(SortJob_State.SUCCEEDED);
  expect(done.placement?.sparkOperation).toBe(begun.placement?.sparkOperation);
  await expectSorted(done, "survivor", "large");
}, 120_000);

test("begins anew where Spark was killed and has forgotten the job", async () => {
  await writeLarge("large");
  const begun = await beginOnSpark(jobOf(["large"], "forgotten"));

  await spark.restart();
  const done = await settled(world.client(), begun.name);

  expect(done.failure).toBeUndefined();
  expect(done.placement?.sparkOperation).not.toBe(
    begun.placement?.sparkOperation,
  );
  await expectSorted(done, "forgotten", "large");
  expect(await namesLike("forgotten")).toEqual(["forgotten"]);
}, 180_000);

test("stops a job there on request, and removes what it left", async () => {
  await writeLarge("large");
  const { name } = await beginOnSpark(jobOf(["large"], "cancelled"));

  await world.client().cancelSortJob({ name });
  const done = await settled(world.client(), name);

  expect(done.state).toBe(SortJob_State.CANCELLED);
  await eventually("nothing of it is left", async () => {
    return (await namesLike("cancelled")).length === 0;
  });
}, 60_000);

test("chooses by the estimate, and says in the job what and why", async () => {
  await writeFile(join(world.inbox, "small"), "b\na\n");
  await writeLarge("large");
  const any = (
    input: string,
    path: string,
    changed: Partial<StatedJob> = {},
  ): Promise<SortJob> =>
    runJob(world.client(), {
      ...jobOf([input], path, {}, SortJob_Engine.UNSPECIFIED),
      ...changed,
    } as StatedJob);
  const csv = jobOf(["any"], "any", {
    record: { case: "csv", value: {} },
    keys: [
      {
        source: {
          case: "column",
          value: { column: { case: "number", value: 1 } },
        },
      },
    ],
  }).spec as Spec;
  const soon = { targetTime: { seconds: 0n, nanos: 1_000_000 } };

  const jobs = {
    small: await any("small", "by estimate 1"),
    soon: await any("small", "by estimate 2", soon),
    soonCsv: await any("small", "by estimate 3", { ...soon, spec: csv }),
    large: await any("large", "by estimate 4"),
    largeCsv: await any("large", "by estimate 5", { spec: csv }),
  };

  expect(jobs.small).toMatchObject({
    state: SortJob_State.SUCCEEDED,
    placement: {
      engine: SortJob_Engine.LOCAL,
      reason: expect.stringContaining("fits") as string,
      estimatedTempBytes: 4n,
    },
  });
  expect(jobs.small.placement?.estimatedTime).toBeDefined();
  expect(jobs.soon).toMatchObject({
    state: SortJob_State.SUCCEEDED,
    placement: {
      engine: SortJob_Engine.SPARK,
      reason: expect.stringContaining("wanted in 0.001 s") as string,
    },
  });
  expect(jobs.soonCsv).toMatchObject({
    state: SortJob_State.SUCCEEDED,
    placement: {
      engine: SortJob_Engine.LOCAL,
      reason: expect.stringContaining("spec.csv") as string,
    },
  });
  expect(jobs.large).toMatchObject({
    state: SortJob_State.SUCCEEDED,
    placement: {
      engine: SortJob_Engine.SPARK,
      reason: expect.stringContaining("10000000") as string,
    },
  });
  expect(jobs.largeCsv.failure).toMatchObject({
    reason: "TEMP_SPACE_SHORT",
    metadata: { limit: "10000000" },
    message: expect.stringContaining("spec.csv") as string,
  });
}, 120_000);

/** Lines that are enough for Spark to be met in the middle of them. */
async function writeLarge(name: string): Promise<void> {
  await writeFile(join(world.inbox, name), randomLines(600_000));
}

/** Begins a job, and waits until Spark has said something of it. */
async function beginOnSpark(job: StatedJob): Promise<SortJob> {
  const sorter = world.client();
  const { job: begun } = await sorter.createSortJob({ job });
  let now = begun;
  await eventually(
    "Spark tells of the job",
    async () => {
      ({ job: now } = await sorter.getSortJob({ name: begun?.name ?? "" }));
      return now?.progress !== undefined;
    },
    60_000,
  );
  if (now?.state !== SortJob_State.RUNNING) throw new Error("it was too quick");
  return now;
}

async function expectSorted(
  job: SortJob,
  path: string,
  input: string,
): Promise<void> {
  const { bytes } = await outputOf(job, path);
  const wanted = await gnuSort(await readFile(join(world.inbox, input)));
  expect(bytes.equals(wanted)).toBe(true);
}

async function namesLike(name: string): Promise<string[]> {
  const names = await readdir(world.outbox);
  return names.filter((each) => each.startsWith(name));
}

/** Two files of lines of all kinds, so that every spec has something to order. */
async function writeInputs(what: string): Promise<string[]> {
  let state = what.length;
  const next = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
  const number = () =>
    ["", " ", "-", "00", "-0", "+"][next(6)] +
    (next(4) ? String(next(1e6)) : "9".repeat(next(40))) +
    (next(2) ? `.${"0".repeat(next(3))}${next(1000)}` : "");
  const lineOf = (n: number) =>
    `${number()}:${"xyz"[next(3)]}${next(9)}:${number()}#${n % 5_000}${next(9) ? "" : "\r"}\n`;
  const text = Array.from({ length: 20_000 }, (_, n) => lineOf(n)).join("");
  const raw = Buffer.from(Array.from({ length: 200_000 }, () => next(256)));
  const names = [`${what} 1`, `${what} 2`];
  // The first ends with a delimiter, so that both together are one text.
  await writeFile(join(world.inbox, names[0] ?? ""), text);
  await writeFile(join(world.inbox, names[1] ?? ""), raw);
  return names;
}

function jobOf(
  inputs: readonly string[],
  path: string,
  spec: Spec = {},
  engine: SortJob_Engine = SortJob_Engine.SPARK,
): StatedJob {
  return {
    spec,
    inputs: inputs.map((at) => ({
      source: { case: "path", value: { folder: "inbox", path: at } },
    })),
    output: { target: { case: "path", value: { folder: "outbox", path } } },
    engine,
  };
}

/** The bytes of an output of Spark's, after comparing its manifest with what lies there. */
async function outputOf(
  job: SortJob,
  path: string,
): Promise<{ bytes: Buffer; parts: number }> {
  const folder = join(world.outbox, path);
  const parts = job.result?.partFiles ?? [];
  const files = await Promise.all(
    parts.map(({ name }) => readFile(join(folder, name))),
  );
  expect(files.map(({ length }) => BigInt(length))).toEqual(
    parts.map(({ bytes }) => bytes),
  );
  expect(job.result?.parts).toEqual(parts.map(({ name }) => name));
  const manifest: unknown = JSON.parse(
    await readFile(join(folder, "_manifest.json"), "utf8"),
  );
  expect(manifest).toMatchObject({
    job: job.name,
    checksum: job.result?.checksum,
    parts: parts.map(({ name }) => ({ name })),
  });
  return { bytes: Buffer.concat(files), parts: parts.length };
}
