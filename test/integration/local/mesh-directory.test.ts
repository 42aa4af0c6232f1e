import {
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemDataFolder } from "../../../deploy/local/components/postgres-user.ts";
import { readLocalConfig } from "../../../deploy/local/config.ts";
import {
  claimDirectory,
  NotARunsDirectory,
} from "../../../deploy/local/mesh-directory.ts";
import { runDirectory } from "./setup.ts";

const config = readLocalConfig({ WEFT_DOCKER: "off" });

test("a fresh start refuses a folder with files that are no run's, and leaves all of it", async () => {
  await using directory = await runDirectory();
  await writeFile(join(directory.path, "precious"), "mine");

  const claim = claimDirectory(directory.path, true, config);

  await expect(claim).rejects.toThrow(NotARunsDirectory);
  expect(await readdir(directory.path)).toEqual(["precious"]);
});

test("a fresh start refuses a folder that a run shares with files of others", async () => {
  await using directory = await runDirectory();
  await writeFile(join(directory.path, "precious"), "mine");
  (await claimDirectory(directory.path, false, config)).release();

  const claim = claimDirectory(directory.path, true, config);

  await expect(claim).rejects.toThrow(NotARunsDirectory);
  expect(await readdir(directory.path)).toContain("precious");
});

test("a fresh start takes a new folder, and one of a run that was killed early", async () => {
  await using directory = await runDirectory();
  const path = join(directory.path, "new");
  (await claimDirectory(path, true, config)).release();
  await rm(join(path, "owner"));

  const again = claimDirectory(path, true, config);

  (await again).release();
  expect(await readdir(path)).toContain("owner");
});

test("a fresh start removes links, dangling ones too, and nothing that they lead to", async () => {
  await using directory = await runDirectory();
  await using outside = await runDirectory();
  (await claimDirectory(directory.path, false, config)).release();
  await writeFile(join(outside.path, "precious"), "mine");
  await symlink(outside.path, join(directory.path, "shared"));
  await symlink(outside.path, join(directory.path, "postgres"));
  await symlink("/nowhere/at/all", join(directory.path, "dangling"));

  (await claimDirectory(directory.path, true, config)).release();

  expect((await readdir(directory.path)).sort()).toEqual(["lock", "owner"]);
  expect(await readFile(join(outside.path, "precious"), "utf8")).toBe("mine");
});

test.skipIf(process.getuid?.() !== 0)(
  "a fresh start removes root's Postgres, which lives behind a link of ours",
  async () => {
    await using directory = await runDirectory();
    (await claimDirectory(directory.path, false, config)).release();
    const data = systemDataFolder(directory.path);
    onTestFinished(() => rm(data, { recursive: true, force: true }));
    await mkdir(data, { recursive: true });
    await symlink(data, join(directory.path, "postgres"));

    (await claimDirectory(directory.path, true, config)).release();

    await expect(readdir(data)).rejects.toThrow("ENOENT");
  },
);
