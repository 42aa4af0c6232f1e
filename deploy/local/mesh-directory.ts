import {
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join, resolve } from "node:path";
import { systemDataFolder } from "./components/postgres-user.ts";
import type { LocalConfig } from "./config.ts";
import { dockerAnswers, removeVolume } from "./docker.ts";
import { tryLock, type Lock } from "./lock.ts";
import { awaitPredecessor } from "./predecessor.ts";

const LOCK = "lock";
/** Holds the pid, and marks a folder in which everything is a run's. */
const OWNER = "owner";
/** Holds the pid where files were in the folder before its first run. */
const GUEST = "guest";
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

/** A fresh start would delete what no run has written. */
export class NotARunsDirectory extends Error {
  constructor(directory: string) {
    super(
      `${directory} holds files that are no run's: a fresh start would delete them. Name an empty or a new folder, or leave --fresh out.`,
    );
    this.name = "NotARunsDirectory";
  }
}

/**
 * Takes a run's directory for this process until the lock is released, and
 * empties it for a fresh start. Throws MeshAlreadyRunning and NotARunsDirectory.
 */
export async function claimDirectory(
  directory: string,
  fresh: boolean,
  config: LocalConfig,
): Promise<Lock> {
  await mkdir(directory, { recursive: true });
  // Before the lock, which would leave a file of ours.
  const isOurs = await holdsRunsAlone(directory);
  if (fresh && !isOurs) throw new NotARunsDirectory(directory);
  const lock = tryLock(join(directory, LOCK));
  if (lock === undefined) {
    const pid = await readPid(join(directory, isOurs ? OWNER : GUEST));
    throw new MeshAlreadyRunning(directory, pid ?? "unknown");
  }
  try {
    if (fresh) await empty(directory, config);
    await rm(join(directory, MESH_FILE), { force: true });
    const pidFile = join(directory, isOurs ? OWNER : GUEST);
    await writeFile(pidFile, String(process.pid));
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

/** The mark is written before anything else but the lock, and stays: a run that was killed has it too. */
async function holdsRunsAlone(directory: string): Promise<boolean> {
  const entries = await readdir(directory);
  if (entries.every((entry) => entry.startsWith(LOCK))) return true;
  return (
    entries.includes(LOCK) &&
    (await readPid(join(directory, OWNER))) !== undefined
  );
}

async function readPid(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  return /^\d+$/.test(text) ? text : undefined;
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
    if (entry.startsWith(LOCK) || entry === OWNER) continue;
    const path = join(directory, entry);
    const target = await linkTarget(path);
    // Root's Postgres may live there, behind a link of ours; where other links lead is not ours.
    if (target === systemDataFolder(directory)) {
      await rm(target, { recursive: true, force: true });
    }
    await rm(path, { recursive: true, force: true });
  }
}

/** Undefined for what is no link. */
async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return resolve(path, "..", await readlink(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EINVAL" || code === "ENOENT") return undefined;
    throw error;
  }
}
