import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const module = join(
  import.meta.dirname,
  "../../../services/platform/runtime/trim-memory.ts",
);

/** Grows by small garbage, then does nothing and says what it gave back. V8 by itself lets go after some 35 s. */
const grows = `
  import { trimWhileIdle } from ${JSON.stringify(module)};
  trimWhileIdle({ lookEveryMs: 200 });
  let garbage = [];
  for (let i = 0; i < 400_000; i++) garbage.push({ i, text: "row " + i });
  garbage = undefined;
  const grown = process.memoryUsage.rss();
  const endsAt = Date.now() + 15_000;
  while (process.memoryUsage.rss() > grown - 20 * 2 ** 20 && Date.now() < endsAt)
    await new Promise((resolve) => setTimeout(resolve, 100));
  console.log((grown - process.memoryUsage.rss()) / 2 ** 20);
`;

test("an idle process that has grown gives the memory back", async () => {
  const { stdout } = await run(process.execPath, [
    "--input-type=module-typescript",
    "--eval",
    grows,
  ]);
  expect(Number(stdout)).toBeGreaterThanOrEqual(20);
}, 60_000);
