import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStreamFolders } from "../../../services/sort/app/stream-folders.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";

test("removes what processes left that are gone, and nothing of those that live", async () => {
  await using temp = await tempFolder();
  let nowMs = 0;
  const open = (id: string) =>
    openStreamFolders(
      { tempFolder: temp.path, logger: silentLogger, newId: () => id },
      { markMs: 10, abandonedMs: 120_000, nowMs: () => nowMs },
    );
  const left = join(temp.path, "streams", "gone", "a stream");
  await mkdir(left, { recursive: true });
  await writeFile(join(left, "run-0"), "a\n");

  const other = await open("other");
  await writeFile(join(other.own, "run-0"), "a\n");
  const sweeper = await open("sweeper");
  for (let minute = 1; minute <= 3; minute += 1) {
    await marks(other.own);
    // Between two marks it has looked at those of the other.
    await marks(sweeper.own);
    await marks(sweeper.own);
    nowMs = minute * 60_000;
  }
  await eventually("what was left is gone", async () => {
    return !(await readdir(join(temp.path, "streams"))).includes("gone");
  });

  expect(await readdir(other.own)).toEqual(["run-0"]);
  await other.close();
  await sweeper.close();
  expect(await readdir(join(temp.path, "streams"))).toEqual([]);
});

/** Waits until the folder is marked anew. */
async function marks(folder: string): Promise<void> {
  const { mtimeMs } = await stat(folder);
  await eventually(
    "it is marked",
    async () => (await stat(folder)).mtimeMs !== mtimeMs,
  );
}

async function tempFolder() {
  const path = await mkdtemp(join(tmpdir(), "weft-streams-"));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
