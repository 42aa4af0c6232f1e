import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  chmod,
  chown,
  cp,
  mkdir,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { ComponentUnavailable } from "../component.ts";

export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

const run = promisify(execFile);
/** Where root's Postgres lives when its user can't enter the checkout (below /root, say). */
const SYSTEM_FOLDER = "/var/lib/weft";

/**
 * Postgres refuses to run as root: the account `postgres` is taken, or made.
 * Undefined where this process is not root and runs Postgres as itself.
 */
export async function postgresUser(): Promise<PostgresUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  try {
    return await lookUp();
  } catch {
    // Not there yet. Two starts may both get here: the second useradd fails, its look-up does not.
    await run("useradd", ["--system", "--user-group", "postgres"]).catch(
      () => undefined,
    );
  }
  try {
    return await lookUp();
  } catch (error) {
    throw new ComponentUnavailable(
      "postgres",
      "it can't run as root and the account `postgres` could not be made",
      "Run as an ordinary user, or set WEFT_POSTGRES_URL.",
      { cause: error },
    );
  }
}

/** A data folder that the user owns and can reach: `<directory>/postgres`, at times a link. */
export async function postgresDataFolder(
  directory: string,
  user: PostgresUser | undefined,
): Promise<string> {
  const wanted = join(resolve(directory), "postgres");
  await mkdir(resolve(directory), { recursive: true });
  if (user === undefined) {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    return wanted;
  }
  // The run's folder is ours: others may pass through it, and still not list it.
  const { mode } = await stat(directory);
  await chmod(directory, (mode & 0o777) | 0o011);
  let folder = wanted;
  if (!(await canEnter(dirname(wanted)))) {
    folder = systemDataFolder(directory);
    await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
    if (!existsSync(wanted)) {
      // A run's folder that was deleted took its password along: the data is lost with it.
      await rm(folder, { recursive: true, force: true });
      await rm(wanted, { force: true });
      await symlink(folder, wanted);
    }
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chown(folder, user.uid, user.gid);
  return folder;
}

/** Where a run's `postgres` leads when it is a link. */
export function systemDataFolder(directory: string): string {
  const wanted = join(resolve(directory), "postgres");
  return join(SYSTEM_FOLDER, "data", hash(wanted));
}

/** The binaries' folder, or a copy of it that the user can reach. */
export async function reachableBinaries(
  binaries: string,
  version: string,
  user: PostgresUser | undefined,
): Promise<string> {
  if (user === undefined || (await canEnter(binaries))) return binaries;
  const copy = join(SYSTEM_FOLDER, `postgres-${version}`);
  if (existsSync(copy)) return copy;
  await mkdir(SYSTEM_FOLDER, { recursive: true, mode: 0o755 });
  const staging = `${copy}.${process.pid}`;
  await cp(binaries, staging, { recursive: true, verbatimSymlinks: true });
  await rename(staging, copy).catch(async (error: unknown) => {
    // Another start was first.
    await rm(staging, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  });
  return copy;
}

async function canEnter(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    const { mode } = await stat(at);
    if ((mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

async function lookUp(): Promise<PostgresUser> {
  const uid = await run("id", ["-u", "postgres"]);
  const gid = await run("id", ["-g", "postgres"]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

function hash(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 12);
}
