import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  Compression,
  SortJob_State,
  type SortOutputSchema,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { uploadFile } from "../../support/upload-file.ts";
import {
  randomLines,
  runJob,
  settled,
  setupSort,
  type SortWorld,
  type StatedJob,
} from "./sort-world.ts";

let world: SortWorld;
let temp: string;
let outbox: string;
beforeAll(async () => {
  world = await setupSort({
    signsForProxy: true,
    // The engine leaves 16 MB free: so there is room for the runs of `lines`, and none for them and the output.
    disks: { outbox: "size=1m", temp: "size=64m,nr_inodes=100" },
  });
  [temp, outbox] = [world.seen(world.temp), world.seen(world.outbox)];
  await writeFile(join(world.inbox, "some"), lines.subarray(0, 12_000_000));
  await writeFile(join(world.inbox, "all.gz"), gzipSync(lines, { level: 1 }));
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());
afterEach(async () => {
  world.proxy.fault = () => undefined;
  await rm(join(temp, "filler"), { recursive: true, force: true });
});

const lines = randomLines(1_000_000);

test.each([Compression.NONE, Compression.GZIP])(
  "says that the disk of the output is full, and leaves nothing on it (compression %s)",
  async (compression) => {
    const output = { ...toOutbox("full"), compression };

    const job = await runJob(world.client(), jobOf("some", output));

    expect(job.failure).toMatchObject({
      reason: "OUTPUT_SPACE_SHORT",
      message: "outbox/full cannot be written: its disk is full",
      metadata: { output: "outbox/full", code: "ENOSPC" },
    });
    expect(await readdir(outbox)).toEqual([]);
    await noRunsLeft();
  },
  60_000,
);

test("fails a job whose runs find the disk full, and gives its room back", async () => {
  const name = await uploadFile(world.files(), lines, "text/plain");
  const { download } = await world.files().createDownload({ name });
  const job: StatedJob = {
    spec: {},
    inputs: [{ source: { case: "url", value: download?.url ?? "" } }],
    output: newFile,
    memoryBytes: 230_000_000n,
  };
  const { promise: isFull, resolve: release } = Promise.withResolvers<void>();
  world.proxy.fault = (request) =>
    startOf(request) >= 24 << 20 ? { kind: "hold", until: isFull } : undefined;
  const { job: begun } = await world.client().createSortJob({ job });
  await eventually("a run is being written", hasRun, 60_000);

  await fillDisk();
  release();
  const done = await settled(world.client(), begun?.name ?? "");

  expect(done).toMatchObject({
    state: SortJob_State.FAILED,
    failure: { reason: "TEMP_SPACE_SHORT" },
  });
  await noRunsLeft();
}, 120_000);

test("says that there is no room for an output that waits there to be sent", async () => {
  const before = await world.files().listFiles({});

  const job = await runJob(world.client(), jobOf("all.gz", newFile));

  expect(job.failure).toMatchObject({ reason: "TEMP_SPACE_SHORT" });
  expect((await world.files().listFiles({})).files).toEqual(before.files);
  await noRunsLeft();
}, 60_000);

test("says so of a job and a stream that can't even begin, and does both when there is room", async () => {
  await writeFile(join(world.inbox, "few"), "b\na\n");
  const few = jobOf("few", toOutbox("few"));
  await fillInodes();

  const refused = await runJob(world.client(), few);
  const broken = await sortByStream("b\na\n").catch((error: unknown) =>
    ConnectError.from(error),
  );
  await rm(join(temp, "filler"), { recursive: true });
  const done = await runJob(world.client(), few);

  expect(refused.failure).toMatchObject({ reason: "TEMP_SPACE_SHORT" });
  expect(broken).toMatchObject({
    code: Code.ResourceExhausted,
    rawMessage: "the disk is full",
  });
  expect(done.failure).toBeUndefined();
  expect(await readFile(join(outbox, "few"), "utf8")).toBe("a\nb\n");
  expect(await sortByStream("b\na\n")).toBe("a\nb\n");
}, 60_000);

type Output = MessageInitShape<typeof SortOutputSchema>;

const newFile: Output = {
  target: { case: "newFile", value: { displayName: "sorted" } },
};

function toOutbox(path: string): Output {
  return { target: { case: "path", value: { folder: "outbox", path } } };
}

function jobOf(path: string, output: Output): StatedJob {
  return {
    spec: {},
    inputs: [{ source: { case: "path", value: { folder: "inbox", path } } }],
    output,
  };
}

async function sortByStream(text: string): Promise<string> {
  async function* asks() {
    yield { message: { case: "options", value: { spec: {} } } } as const;
    yield { message: { case: "chunk", value: Buffer.from(text) } } as const;
  }
  let sorted = "";
  for await (const { message } of world.client().sortStream(asks())) {
    if (message.case === "chunk")
      sorted += Buffer.from(message.value).toString();
  }
  return sorted;
}

/** Of the range that is asked for. */
function startOf({ headers }: IncomingMessage): number {
  return Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
}

async function hasRun(): Promise<boolean> {
  const [id = ""] = await readdir(join(temp, "jobs"));
  const runs = await readdir(join(temp, "jobs", id, "work")).catch(() => []);
  return runs.some((each) => each.startsWith("run-"));
}

async function fillDisk(): Promise<void> {
  await mkdir(join(temp, "filler"));
  await untilFull(() =>
    appendFile(join(temp, "filler", "1"), Buffer.alloc(1 << 20)),
  );
}

async function fillInodes(): Promise<void> {
  await mkdir(join(temp, "filler"));
  let next = 0;
  await untilFull(() => writeFile(join(temp, "filler", String(next++)), ""));
}

async function untilFull(write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await write();
    } catch (error) {
      if (
        error instanceof Error &&
        "code" in error &&
        error.code === "ENOSPC"
      ) {
        return;
      }
      throw error;
    }
  }
}

async function noRunsLeft(): Promise<void> {
  await eventually("its runs are gone", async () => {
    return (await readdir(join(temp, "jobs"))).length === 0;
  });
}
