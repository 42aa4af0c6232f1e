import {
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import type { LocalConfig } from "./config.ts";
import { dockerAnswers, removeVolume } from "./docker.ts";
import { tryLock, type Lock } from "./lock.ts";
import { awaitPredecessor } from "./predecessor.ts";

const LOCK = "lock";
const OWNER = "owner";
const MESH_FILE = "mesh.json";

/** Another mesh runs in the directory. */
export class MeshAlreadyRunning extends Error {
  constructor(directory: string, pid: string) {
    super(
      `a mesh already runs in ${directory} (pid ${pid}). Stop it with Ctrl-C in its terminal, or with: kill ${pid}`,
    );
    this.name = "MeshAlreadyRunning";
  }
}

/**
 * Takes a run's directory for this process until the lock is released, and
 * empties it for a fresh start. Throws MeshAlreadyRunning.
 */
export async function claimDirectory(
  directory: string,
  fresh: boolean,
  config: LocalConfig,
): Promise<Lock> {
  await mkdir(directory, { recursive: true });
  const lock = tryLock(join(directory, LOCK));
  if (lock === undefined) {
    const pid = await readFile(join(directory, OWNER), "utf8").catch(
      () => "unknown",
    );
    throw new MeshAlreadyRunning(directory, pid);
  }
  try {
    if (fresh) await empty(directory, config);
    await rm(join(directory, MESH_FILE), { force: true });
    await writeFile(join(directory, OWNER), String(process.pid));
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Writes `mesh.json`, whole or not at all; it holds the database's password, so only its owner reads it. */
export async function writeMeshFile(
  directory: string,
  content: Readonly<Record<string, unknown>>,
): Promise<void> {
  const file = join(directory, MESH_FILE);
  await writeFile(`${file}.new`, JSON.stringify(content, null, 2) + "\n", {
    mode: 0o600,
  });
  await rename(`${file}.new`, file);
}

export async function removeMeshFile(directory: string): Promise<void> {
  await rm(join(directory, MESH_FILE), { force: true });
}

async function empty(directory: string, config: LocalConfig): Promise<void> {
  const entries = await readdir(directory);
  if (entries.includes("run")) {
    // What a killed run left may still write into the data for some seconds.
    for (const file of await readdir(join(directory, "run"))) {
      await awaitPredecessor(join(directory, "run", file));
    }
  }
  if (await dockerAnswers(config)) {
    for (const name of ["postgres", "kafka", "s3"]) {
      await removeVolume(directory, name);
    }
  }
  for (const entry of entries) {
    if (entry.startsWith(LOCK)) continue;
    const path = join(directory, entry);
    // Root's Postgres may live elsewhere, behind a link; see postgres-user.ts.
    await rm(await realpath(path), { recursive: true, force: true });
    await rm(path, { recursive: true, force: true });
  }
}
