import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startMesh } from "../../../deploy/local/mesh.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import {
  SortJob_Engine,
  type SortJob,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { LineKey_Type } from "../../../gen/ts/weft/sort/v1/sort_spec_pb.ts";
import { connectToEdge } from "../../support/edge-clients.ts";
import { runDirectory } from "./setup.ts";

test("hands a sort to the Spark that it was started with, through the edge", async () => {
  await using directory = await runDirectory();
  await using mesh = await startMesh({
    directory: directory.path,
    spark: true,
    open: true,
    components: ["redis", "s3"],
    edgePort: await freePort(),
  });
  if (!mesh.edge) throw new Error("the mesh has no edge");
  const shared = join(directory.path, "sort", "shared", "demo");
  await mkdir(shared);
  await writeFile(join(shared, "numbers"), "9\n10\n-1\n");
  using client = connectToEdge(
    { url: mesh.edge.url, ca: await readFile(mesh.caFile) },
    "gRPC",
  );

  const { job } = await client.sort.createSortJob({
    job: {
      spec: {
        keys: [
          { source: { case: "line", value: { type: LineKey_Type.NUMBER } } },
        ],
      },
      inputs: [{ source: inShared("numbers") }],
      output: { target: inShared("sorted") },
      engine: SortJob_Engine.SPARK,
    },
  });
  let done: SortJob | undefined;
  const name = job?.name ?? "";
  for await (const { event } of client.sort.watchSortJob({ name })) {
    if (event.case === "job") done = event.value;
  }

  expect(done?.failure).toBeUndefined();
  expect(done?.placement).toMatchObject({ engine: SortJob_Engine.SPARK });
  const parts = (await readdir(join(shared, "sorted"))).filter((file) =>
    file.startsWith("part-"),
  );
  expect(parts.toSorted()).toEqual(done?.result?.parts);
  const texts = parts
    .toSorted()
    .map((part) => readFile(join(shared, "sorted", part), "utf8"));
  expect((await Promise.all(texts)).join("")).toBe("-1\n9\n10\n");
}, 300_000);

function inShared(path: string) {
  return { case: "path", value: { folder: "shared", path } } as const;
}
