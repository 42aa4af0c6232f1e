import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SortJob_State } from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import {
  reasonOf,
  settled,
  setupSort,
  type SortWorld,
  type StatedJob,
} from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort({
    settings: {
      SORT_JOBS: "1",
      SORT_TENANT_JOBS: "1",
      SORT_TENANT_QUEUE: "4",
      SORT_QUEUE: "6",
    },
  });
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());

function jobTo(path: string): StatedJob {
  return {
    spec: {},
    inputs: [
      { source: { case: "path", value: { folder: "inbox", path: "in" } } },
    ],
    output: { target: { case: "path", value: { folder: "outbox", path } } },
  };
}

test("serves tenants in turn, whoever came with more, and bounds the queue", async () => {
  for (const tenant of ["acme", "other"]) {
    await writeFile(join(await world.inboxOf(tenant), "in"), "b\na\n");
  }
  const [acme, other] = [world.client("acme"), world.client("other")];
  const names: string[] = [];
  const begin = async (client: typeof acme, path: string) => {
    const { job } = await client.createSortJob({ job: jobTo(path) });
    names.push(job?.name ?? "");
  };
  const refused = await world.db.transaction(async (tx) => {
    // Nobody claims while this transaction holds the turns.
    await tx.query("lock table sort_turns in exclusive mode");
    for (const n of [1, 2, 3, 4]) await begin(acme, `acme-${n}`);
    const full = await reasonOf(begin(acme, "acme-5"));
    for (const n of [1, 2]) await begin(other, `other-${n}`);
    const fullForAll = await reasonOf(begin(world.client("third"), "third"));
    return [full, fullForAll];
  });

  const done = await Promise.all(
    names.map((name, n) => settled(n < 4 ? acme : other, name)),
  );

  expect(refused).toEqual(["QUEUE_FULL", "QUEUE_FULL"]);
  expect(done.map(({ state }) => state)).toEqual(
    names.map(() => SortJob_State.SUCCEEDED),
  );
  const order = done
    .map((job) => ({
      output:
        job.output?.target.case === "path" ? job.output.target.value.path : "",
      at: Number(job.startTime?.seconds) * 1e9 + Number(job.startTime?.nanos),
    }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ output }) => output);
  expect(order.slice(0, 4)).toEqual(["acme-1", "other-1", "acme-2", "other-2"]);
  expect(
    await readFile(join(world.outbox, "..", "other", "other-2"), "utf8"),
  ).toBe("a\nb\n");
}, 60_000);
