import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  SortJob_State,
  SortProgress_Phase,
  type SortJob,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
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

test("tells whoever watches of phase, bytes, rate and the time that is left, and others by events", async () => {
  const lines = randomLines(200_000);
  const file = await uploadFile(world.files(), lines);
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  world.proxy.fault = (request) =>
    startOf(request) >= 4 << 20 ? { kind: "hold", until } : undefined;
  const sorter = world.client();
  const { job } = await sorter.createSortJob({
    job: jobFrom({ case: "file", value: file }, "watched"),
  });

  const name = job?.name ?? "";
  const told: SortJob[] = [];
  for await (const { event } of sorter.watchSortJob({ name })) {
    if (event.case !== "job") continue;
    told.push(event.value);
    // Half of it is read, and nothing more comes until this was seen.
    if ((event.value.progress?.bytesRead ?? 0n) > 0n) release();
  }

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
  expect(await announced(name)).toEqual(
    expect.arrayContaining([
      "SortJobCreated",
      "SortJobProgressed",
      "SortJobFinished",
    ]),
  );
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

/** Of the range that is asked for. */
function startOf({ headers }: IncomingMessage): number {
  return Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
}

async function announced(name: string): Promise<string[]> {
  const { rows } = await world.db.query<{ type: string }>(
    `select type
     from outbox
     where aggregate_id = $1
     order by position`,
    [name.slice("sortJobs/".length)],
  );
  return rows.map(({ type }) => type.split(".").at(-1) ?? "");
}
