import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { installOnce } from "../../../deploy/local/install.ts";
import { tryLock } from "../../../deploy/local/lock.ts";
import { findGo, findJava } from "../../../deploy/local/tool-chains.ts";
import * as versions from "../../../deploy/local/versions.ts";
import { runDirectory } from "./setup.ts";

const TOOLS = join(import.meta.dirname, "../../../deploy/local/tools");

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test("two starts at once install once, and both get the whole folder", async () => {
  await using directory = await runDirectory();
  const filled: string[] = [];
  const install = (who: string) =>
    installOnce({ cache: directory.path }, installation(filled, who));

  const folders = await Promise.all([install("a"), install("b")]);

  expect(filled).toHaveLength(1);
  expect(new Set(folders).size).toBe(1);
  expect(await readdir(folders[0] ?? "")).toEqual(["program"]);
});

test("an installation that failed leaves nothing behind and is tried again", async () => {
  await using directory = await runDirectory();
  const context = { cache: directory.path };
  const broken = {
    ...installation([], "a"),
    fill: async (staging: string) => {
      await writeFile(join(staging, "half"), "");
      throw new Error("killed");
    },
  };
  await expect(installOnce(context, broken)).rejects.toThrow("killed");

  const folder = await installOnce(context, installation([], "b"));

  expect(await readdir(folder)).toEqual(["program"]);
});

test("too little disk space is told with the remedy before anything is fetched", async () => {
  await using directory = await runDirectory();
  const filled: string[] = [];
  const huge = { ...installation(filled, "a"), needsMegabytes: 1e9 };

  const install = installOnce({ cache: directory.path }, huge);

  await expect(install).rejects.toThrow(
    /tool is not available: its installation needs 1000000000 MB and .* Free some space, or set XDG_CACHE_HOME/,
  );
  expect(filled).toEqual([]);
});

test("a tool chain that is missing, and may not be installed, is told in one line with the remedy", async () => {
  await using directory = await runDirectory();
  await symlink("/bin/sh", join(directory.path, "sh"));
  vi.stubEnv("PATH", directory.path);
  vi.spyOn(process, "getuid").mockReturnValue(1_000);
  const context = { cache: directory.path };

  await expect(findGo(context, "jaeger")).rejects.toThrow(
    /^jaeger is not available: go is not on the PATH\. Install it \(.*golang-go\) and start again\.$/,
  );
  await expect(findJava(context)).rejects.toThrow(
    /^java is not available: python3 is not on the PATH\. Install it \(.*python3-venv\) and start again\.$/,
  );
});

test("a lock has one holder at a time", async () => {
  await using directory = await runDirectory();
  const file = join(directory.path, "lock");
  const first = tryLock(file);

  const second = tryLock(file);
  first?.release();
  using third = tryLock(file);

  expect(first).toBeDefined();
  expect(second).toBeUndefined();
  expect(third).toBeDefined();
});

test("the tools' own files pin the versions of the list", async () => {
  const pins = [
    ["jaeger/go.mod", `jaegertracing/jaeger v${versions.jaeger.version} `],
    ["grpcurl/go.mod", `fullstorydev/grpcurl v${versions.grpcurl.version} `],
    ["versitygw/go.mod", `versity/versitygw v${versions.objectStore.version} `],
    ["kafka/pom.xml", `<version>${versions.kafka.version}</version>`],
  ] as const;

  for (const [file, pin] of pins) {
    expect(await readFile(join(TOOLS, file), "utf8"), file).toContain(pin);
  }
});

test("each image names the version that runs locally", () => {
  const { postgres, kafka, redis, objectStore, jaeger, envoy } = versions;

  for (const each of [postgres, kafka, redis, objectStore, jaeger, envoy]) {
    expect(each.image).toMatch(new RegExp(`:v?${each.version}(-alpine)?$`));
  }
});

function installation(filled: string[], who: string) {
  return {
    component: "tool",
    folder: "tool-1.0",
    needsMegabytes: 1,
    fill: async (staging: string) => {
      filled.push(who);
      await writeFile(join(staging, "program"), who);
    },
  };
}
