import { fromBinary } from "@bufbuild/protobuf";
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { SortJobFinishedSchema } from "../../../gen/ts/weft/sort/v1/sort_events_pb.ts";
import {
  SortJob_State,
  SortProgress_Phase,
  type SortJob,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import {
  fromRecord,
  type CloudEvent,
} from "../../../services/platform/events/cloud-event.ts";
import { createKafkaBus } from "../../../services/platform/events/kafka-bus.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { uploadFile } from "../../support/upload-file.ts";
import {
  randomLines,
  reasonOf,
  runJob,
  setupSort,
  type SortWorld,
  type StatedJob,
} from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort({ signsForProxy: true });
  await writeFile(join(world.inbox, "in"), "b\na\n");
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.proxy.fault = () => undefined;
});

test("tells whoever watches of phase, bytes, rate and the time that is left", async () => {
  const lines = randomLines(200_000);

  const told = await watchHeld(lines, "watched");

  const half = told.find(({ progress }) => (progress?.bytesRead ?? 0n) > 0n);
  expect(half).toMatchObject({
    state: SortJob_State.RUNNING,
    progress: {
      phase: SortProgress_Phase.SORTING,
      bytesTotal: BigInt(lines.length),
    },
  });
  expect(half?.progress?.bytesPerSecond).toBeGreaterThan(0n);
  expect(half?.progress?.timeLeft).toBeDefined();
  expect(told.at(-1)).toMatchObject({
    state: SortJob_State.SUCCEEDED,
    progress: { bytesRead: BigInt(lines.length) },
  });
}, 120_000);

test("tells on Kafka, in order, that a job was begun, how far it is, and what it came to", async () => {
  const told = await watchHeld(randomLines(200_000), "announced");

  const events = await eventsOf(told[0]?.name ?? "");

  const versions = events.map(({ sequence }) => sequence ?? 0n);
  expect(versions).toEqual([...new Set(versions)].toSorted(ascending));
  expect(events.map(({ type }) => type)).toEqual([
    "weft.sort.v1.SortJobCreated",
    ...events.slice(1, -1).map(() => "weft.sort.v1.SortJobProgressed"),
    "weft.sort.v1.SortJobFinished",
  ]);
  const jobs = events.map(({ data }) => fromBinary(anyEvent, data).job);
  expect(jobs[0]?.state).toBe(SortJob_State.QUEUED);
  const progressed = jobs.slice(1, -1);
  expect(progressed.length).toBeGreaterThan(0);
  for (const job of progressed) {
    expect(job?.state).toBe(SortJob_State.RUNNING);
    expect(job?.progress?.phase).toBeGreaterThan(0);
  }
  expect(jobs.at(-1)).toEqual(told.at(-1));
}, 120_000);

test("lists a tenant's jobs page by page, newest first, and takes nobody else's tokens", async () => {
  const sorter = world.client("lister");
  await writeFile(join(await world.inboxOf("lister"), "in"), "b\na\n");
  const names: string[] = [];
  for (let n = 0; n < 5; n++) {
    const source = { case: "path", value: { folder: "inbox", path: "in" } };
    const { name } = await runJob(
      sorter,
      jobFrom(source as Source, `listed-${n}`),
    );
    names.unshift(name);
  }

  const pages: string[][] = [];
  const tokens: string[] = [];
  let pageToken = "";
  do {
    const page = await sorter.listSortJobs({ pageSize: 2, pageToken });
    pages.push(page.jobs.map(({ name }) => name));
    pageToken = page.nextPageToken;
    tokens.push(pageToken);
  } while (pageToken !== "" && pages.length < 10);
  const [token = ""] = tokens;
  const refused = [
    await reasonOf(sorter.listSortJobs({ pageToken: `${token}x` })),
    await reasonOf(world.client("other").listSortJobs({ pageToken: token })),
  ];

  expect(pages).toEqual([names.slice(0, 2), names.slice(2, 4), names.slice(4)]);
  expect(refused).toEqual(["PAGE_TOKEN_INVALID", "PAGE_TOKEN_INVALID"]);
}, 120_000);

type Source = NonNullable<NonNullable<StatedJob["inputs"]>[number]["source"]>;

function jobFrom(source: Source, path: string): StatedJob {
  return {
    spec: {},
    inputs: [{ source }],
    output: { target: { case: "path", value: { folder: "outbox", path } } },
  };
}

/** What a watch tells of a job that reads half of these lines, and the rest when that was seen. */
async function watchHeld(lines: Buffer, path: string): Promise<SortJob[]> {
  const file = await uploadFile(world.files(), lines);
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  world.proxy.fault = (request) =>
    startOf(request) >= 4 << 20 ? { kind: "hold", until } : undefined;
  const sorter = world.client();
  const { job } = await sorter.createSortJob({
    job: jobFrom({ case: "file", value: file }, path),
  });
  const told: SortJob[] = [];
  for await (const { event } of sorter.watchSortJob({
    name: job?.name ?? "",
  })) {
    if (event.case !== "job") continue;
    told.push(event.value);
    if ((event.value.progress?.bytesRead ?? 0n) > 0n) release();
  }
  return told;
}

/** Of the range that is asked for. */
function startOf({ headers }: IncomingMessage): number {
  return Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
}

/** Each of the three events of a job is the job in its first field. */
const anyEvent = SortJobFinishedSchema;

/** The events of a job as the broker has them, until the last. */
async function eventsOf(name: string): Promise<CloudEvent[]> {
  const found: CloudEvent[] = [];
  await using bus = createKafkaBus({
    brokers: inject("kafkaBrokers"),
    clientId: "sort-test",
    logger: silentLogger,
  });
  bus.consume({
    group: `test-${randomUUID()}`,
    topics: ["weft.sort.v1"],
    handle: async (batch) => {
      for (const record of batch.records) {
        if (`sortJobs/${record.key}` === name) found.push(fromRecord(record));
        batch.markDone(record);
      }
    },
  });
  await eventually(
    "the last event of the job has come",
    () => found.at(-1)?.type.endsWith("SortJobFinished") ?? false,
    30_000,
  );
  return found;
}

function ascending(one: bigint, other: bigint): number {
  return Number(one - other);
}
