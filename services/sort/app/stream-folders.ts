import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../platform/data/backoff.ts";
import type { Logger } from "../../platform/runtime/logger.ts";

/** The folder that this process sorts streams in, beside those of others on the same temp folder. */
export interface StreamFolders {
  readonly own: string;
  /** Removes the own folder. */
  close(): Promise<void>;
}

export interface StreamFoldersDeps {
  readonly tempFolder: string;
  readonly logger: Logger;
  readonly newId: () => string;
}

/**
 * Marks the own folder as in use, and removes those of processes that are gone: their marks have stood still for as long as
 * `abandonedMs`, by the clock of whoever looks. So neither another machine's clock nor one that jumps takes a folder away.
 */
export async function openStreamFolders(
  { tempFolder, logger, newId }: StreamFoldersDeps,
  {
    markMs = 10_000,
    abandonedMs = 120_000,
    nowMs = () => performance.now(),
  } = {},
): Promise<StreamFolders> {
  const all = join(tempFolder, "streams");
  const own = join(all, newId());
  await mark(own);
  const stop = new AbortController();
  let known: Marks = new Map();
  const keep = async () => {
    while (!stop.signal.aborted) {
      try {
        await mark(own);
        known = await look({ all, own, nowMs }, known);
        await removeAbandoned(known, nowMs() - abandonedMs);
      } catch (error) {
        logger.warn({ err: error }, "folders of streams can't be kept");
      }
      await sleep(markMs, stop.signal).catch(() => undefined);
    }
  };
  const keeping = keep();
  return {
    own,
    async close() {
      stop.abort();
      await keeping;
      await rm(own, { recursive: true, force: true });
    },
  };
}

/** By the folder: its mark, and since when it is known. */
type Marks = ReadonlyMap<
  string,
  { readonly mark: number; readonly since: number }
>;

async function mark(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = new Date();
  await utimes(folder, now, now);
}

interface LookDeps {
  readonly all: string;
  readonly own: string;
  readonly nowMs: () => number;
}

async function look(
  { all, own, nowMs }: LookDeps,
  known: Marks,
): Promise<Marks> {
  const folders = (await readdir(all))
    .map((name) => join(all, name))
    .filter((folder) => folder !== own);
  const marks = await Promise.all(
    folders.map(async (folder) => {
      const found = await stat(folder).catch(() => undefined);
      const before = known.get(folder);
      const isStill = found && before?.mark === found.mtimeMs;
      const since = isStill ? before.since : nowMs();
      return [folder, { mark: found?.mtimeMs ?? 0, since }] as const;
    }),
  );
  return new Map(marks);
}

async function removeAbandoned(marks: Marks, before: number): Promise<void> {
  for (const [folder, { since }] of marks) {
    if (since <= before) await rm(folder, { recursive: true, force: true });
  }
}
