import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { RESOURCE_LIMITS } from "../../../services/sort/engine/job/worker-pool.ts";
import { RunIndexBuilder } from "../../../services/sort/engine/run-file.ts";

test("keeps of each block what it was told, however many there are", () => {
  const builder = new RunIndexBuilder();

  for (let i = 0; i < 5_000; i++)
    builder.add(2 * i, i, BigInt(i) << 40n, ~i >>> 0);
  const index = builder.build(10_000, 5_000);

  expect(index.blocks).toBe(5_000);
  for (const i of [0, 1_022, 1_023, 1_024, 4_999]) {
    const { offsets, outOffsets, prefixes, crcs } = index;
    expect([offsets[i], outOffsets[i], prefixes[i], crcs[i]]).toEqual([
      2 * i,
      i,
      BigInt(i) << 40n,
      ~i >>> 0,
    ]);
  }
  expect([index.offsets[5_000], index.outOffsets[5_000]]).toEqual([
    10_000, 5_000,
  ]);
});

test("indexes 131 GB in the heap that a worker has", async () => {
  const runFile = new URL(
    "../../../services/sort/engine/run-file.ts",
    import.meta.url,
  );
  const worker = new Worker(
    `import(${JSON.stringify(runFile.href)}).then(({ RunIndexBuilder }) => {
      const builder = new RunIndexBuilder();
      for (let i = 0; i < 2_000_000; i++) {
        builder.add(i * 65_536, i * 65_536, BigInt(i) << 40n, i);
      }
      const end = 2_000_000 * 65_536;
      const { parentPort } = require("node:worker_threads");
      parentPort.postMessage(builder.build(end, end).blocks);
    });`,
    { eval: true, resourceLimits: RESOURCE_LIMITS },
  );

  const [blocks] = await once(worker, "message");

  expect(blocks).toBe(2_000_000);
});
