import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pruneInBatches } from "../../platform/events/prune.ts";
import { sleep } from "../../platform/data/backoff.ts";
import type { Database } from "../../platform/data/database.ts";
import { isUuid } from "../../platform/runtime/ids.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { Files } from "../clients/files.ts";
import type { SortJob } from "../domain/sort-job.ts";
import { partialPath } from "../engine/job/output.ts";
import { failStaleSuspensions, findUnneeded } from "../store/job-leases.ts";
import { pruneJobs } from "../store/sort-jobs.ts";
import type { Announce } from "./announce.ts";
import { writePath, type Places } from "./places.ts";
import type { Spark } from "./spark-work.ts";
import { jobFolder } from "./write-order.ts";

export interface CleanUpDeps {
  readonly places: Places;
  readonly files: Files | undefined;
  readonly spark: Pick<Spark, "abandon"> | undefined;
  readonly tempFolder: string;
  readonly logger: Logger;
}

/** Removes what a settled job leaves: its runs, and what is half written of an output that will not be. */
export async function cleanUp(deps: CleanUpDeps, job: SortJob): Promise<void> {
  try {
    if (job.placement?.engine === "spark") {
      if (job.state !== "succeeded") await deps.spark?.abandon(job);
      return;
    }
    if (job.state !== "succeeded") await dropOutput(deps, job);
    await rm(jobFolder(deps.tempFolder, job.id), {
      recursive: true,
      force: true,
    });
  } catch (error) {
    deps.logger.warn({ err: error, job: job.id }, "a job's files are left");
  }
}

async function dropOutput(
  { places, tempFolder }: CleanUpDeps,
  { id, tenant, plan }: SortJob,
): Promise<void> {
  if (plan.output?.kind !== "path") {
    // A file of the caller's that was begun is swept as an abandoned upload; a PUT leaves nothing.
    return;
  }
  const manifest = join(jobFolder(tempFolder, id), "work", "manifest.jsonl");
  const text = await readFile(manifest, "utf8").catch(() => "");
  const [line = ""] = text.split("\n");
  const sortId =
    line === "" ? undefined : (JSON.parse(line) as { id?: unknown }).id;
  if (typeof sortId === "string") {
    const path = await writePath(places, { tenant, ...plan.output });
    await rm(partialPath(path, sortId), { force: true });
  }
}

export interface SweepDeps extends CleanUpDeps {
  readonly db: Database;
  readonly announce: Announce;
  /** Names the temp folder. */
  readonly home: string;
  readonly now: () => Date;
  /** Jobs that this process works on. */
  readonly isRunning: (id: string) => boolean;
}

const everyMs = 60_000;
/** How long a job waits for fresh URLs. */
const suspendedMs = 24 * 3_600_000;
/** How long a settled job can be asked for. */
const keepMs = 30 * 24 * 3_600_000;

/** Removes, once a minute, folders that no job needs, jobs that wait for URLs for too long, and old ones. */
export async function sweepJobs(
  deps: SweepDeps,
  stop: AbortSignal,
): Promise<void> {
  const pruning = pruneInBatches(
    { logger: deps.logger, name: "sort_jobs" },
    (limit) =>
      pruneJobs(deps.db, new Date(deps.now().getTime() - keepMs), limit),
    stop,
  );
  while (!stop.aborted) {
    try {
      await sweepFolders(deps);
      await endSuspensions(deps);
    } catch (error) {
      deps.logger.warn({ err: error }, "sweeping failed, tries again");
    }
    await sleep(everyMs * (0.5 + Math.random()), stop).catch(() => undefined);
  }
  await pruning;
}

async function sweepFolders(deps: SweepDeps): Promise<void> {
  const folders = await readdir(join(deps.tempFolder, "jobs")).catch(() => []);
  const ids = folders.filter((name) => isUuid(name) && !deps.isRunning(name));
  const unneeded = await findUnneeded(deps.db, deps.home, ids.slice(0, 1_000));
  for (const { id, job } of unneeded) {
    if (deps.isRunning(id)) continue;
    // The runs say what the partial output is called: they go last, and whatever comes of it.
    await (job && dropOutput(deps, job))?.catch((error: unknown) =>
      deps.logger.warn({ err: error, job: id }, "a partial output is left"),
    );
    await rm(jobFolder(deps.tempFolder, id), { recursive: true, force: true });
  }
}

async function endSuspensions(deps: SweepDeps): Promise<void> {
  const now = deps.now();
  const before = new Date(now.getTime() - suspendedMs);
  await deps.db.transaction(async (tx) => {
    for (const job of await failStaleSuspensions(tx, before, now)) {
      await deps.announce(tx, { type: "SortJobFinished", job });
    }
  });
}
