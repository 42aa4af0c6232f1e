import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
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
  world = await setupSort();
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());

const budget = 250_000_000;

test("keeps a job's process within its memory where 145 MB come by a URL", async () => {
  const lines = randomLines(4_000_000);
  const name = await uploadFile(world.files(), lines, "text/plain");
  const { download } = await world.files().createDownload({ name });
  const sorter = world.client();

  const { job } = await sorter.createSortJob({
    job: {
      spec: {},
      inputs: [{ source: { case: "url", value: download?.url ?? "" } }],
      output: {
        target: { case: "path", value: { folder: "outbox", path: "sorted" } },
      },
      memoryBytes: BigInt(budget),
    },
  });
  let peak = 0;
  await eventually(
    "the job's process has come and gone",
    async () => {
      const now = await peakOfJobs(world.sort().pid);
      peak = Math.max(peak, now);
      return peak > 0 && now === 0;
    },
    100_000,
  );
  const done = await settled(sorter, job?.name ?? "");

  expect(done.failure).toBeUndefined();
  expect(done.result).toMatchObject({ recordsOut: 4_000_000n });
  expect(peak).toBeLessThanOrEqual(budget);
}, 180_000);

/** The most that a process of a job has had resident so far, in bytes; 0 where there is none. */
async function peakOfJobs(service: number): Promise<number> {
  const file = `/proc/${service}/task/${service}/children`;
  const pids = (await readFile(file, "utf8")).split(" ").filter(Boolean);
  const peaks = pids.map(async (pid) => {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(
      () => "",
    );
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  });
  return Math.max(0, ...(await Promise.all(peaks)));
}
