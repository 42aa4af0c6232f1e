import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { readdir, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  SortJob_State,
  type SortOutputSchema,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { eventually } from "../../support/eventually.ts";
import type { Fault } from "../../support/fault-proxy.ts";
import {
  gnuSort,
  randomLines,
  runJob,
  settled,
  setupSort,
  type SortWorld,
  type StatedJob,
} from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort({
    signsForProxy: true,
  });
  await writeFile(join(world.inbox, "lines"), lines);
  wanted = await gnuSort(lines);
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.proxy.fault = () => undefined;
});

/** Enough for several parts of an upload. */
const lines = randomLines(500_000);
let wanted: Buffer;

test("sends each part again through a 503, a broken connection and a URL that is refused", async () => {
  world.proxy.fault = onParts((attempt) => {
    if (attempt === 1) return { kind: "status", status: 503 };
    if (attempt === 2) return { kind: "cut", afterBytes: 1_000_000 };
    if (attempt === 3) return { kind: "status", status: 403 };
    return { kind: "slow-upload", bytesPerSecond: 20_000_000 };
  });

  const job = await runJob(world.client(), jobTo(newFile("sent")));

  expect(job.failure).toBeUndefined();
  expect(await download(job.result?.file ?? "")).toEqual(wanted);
  expect(await uploadsInParts()).toEqual([]);
}, 120_000);

test("gives up an output that can't be sent, and leaves nothing of it", async () => {
  const before = await world.files().listFiles({});
  world.proxy.fault = onParts((_, part) =>
    part === 1 ? undefined : { kind: "status", status: 503 },
  );

  const job = await runJob(world.client(), jobTo(newFile("unsent")));

  expect(job.failure).toMatchObject({ reason: "OUTPUT_FAILED" });
  await eventually("the upload is gone", async () => {
    return (await uploadsInParts()).length === 0;
  });
  const after = await world.files().listFiles({});
  expect(after.files.map(({ name }) => name)).toEqual(
    before.files.map(({ name }) => name),
  );
  await eventually("its runs are gone", noRuns);
}, 120_000);

test("drops an upload that was begun when its job is cancelled", async () => {
  const sorter = world.client();
  world.proxy.fault = onParts(() => ({
    kind: "slow-upload",
    bytesPerSecond: 200_000,
  }));
  const { job } = await sorter.createSortJob({ job: jobTo(newFile("late")) });
  const name = job?.name ?? "";
  await eventually(
    "an upload is begun",
    async () => {
      return (await uploadsInParts()).length === 1;
    },
    60_000,
  );

  await sorter.cancelSortJob({ name });
  const done = await settled(sorter, name);

  expect(done.state).toBe(SortJob_State.CANCELLED);
  await eventually("the upload is gone", async () => {
    return (await uploadsInParts()).length === 0;
  });
}, 120_000);

type Output = MessageInitShape<typeof SortOutputSchema>;

function newFile(displayName: string): Output {
  return { target: { case: "newFile", value: { displayName } } };
}

function jobTo(output: Output): StatedJob {
  return {
    spec: {},
    inputs: [
      {
        source: { case: "path", value: { folder: "inbox", path: "lines" } },
      },
    ],
    output,
  };
}

/** A fault for each attempt at a part of an upload, from 1. */
function onParts(
  faultOf: (attempt: number, part: number) => Fault | undefined,
) {
  const attempts = new Map<number, number>();
  return ({ method, url = "" }: IncomingMessage): Fault | undefined => {
    const part = Number(/[?&]partNumber=(\d+)/.exec(url)?.[1] ?? 0);
    if (method !== "PUT" || part === 0) return undefined;
    const attempt = (attempts.get(part) ?? 0) + 1;
    attempts.set(part, attempt);
    return faultOf(attempt, part);
  };
}

async function download(name: string): Promise<Buffer> {
  const { download: signed } = await world.files().createDownload({ name });
  const answer = await fetch(signed?.url ?? "");
  return Buffer.from(await answer.arrayBuffer());
}

async function uploadsInParts(): Promise<string[]> {
  const { url, accessKeyId, secretAccessKey } = world.store;
  using client = disposable(
    new S3Client({
      endpoint: url,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    }),
  );
  const command = new ListMultipartUploadsCommand({ Bucket: "weft-files" });
  const { Uploads } = await client.it.send(command);
  return (Uploads ?? []).map(({ Key }) => Key ?? "");
}

function disposable<T extends { destroy(): void }>(it: T) {
  return { it, [Symbol.dispose]: () => it.destroy() };
}

async function noRuns(): Promise<boolean> {
  return (await readdir(join(world.temp, "jobs"))).length === 0;
}
