import type { Database } from "../../platform/data/database.ts";
import { isSettled, type SortJob } from "../domain/sort-job.ts";
import type { SortPlan } from "../domain/sort-plan.ts";
import {
  jobNotFound,
  notOwner,
  specInvalid,
  wrongState,
} from "../domain/sort-refusals.ts";
import {
  cancelJob,
  deleteJob,
  findJob,
  requeueJob,
} from "../store/sort-jobs.ts";
import type { Announce } from "./announce.ts";
import type { JobRunners } from "./job-runners.ts";
import { checkPlaces, type Places } from "./places.ts";

export interface ChangeSortJobsDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly places: Places;
  readonly runners: Pick<JobRunners, "wake" | "look">;
  /** Removes what a settled job has left on this machine. */
  readonly cleanUp: (job: SortJob) => Promise<void>;
  readonly now: () => Date;
}

/**
 * Stops a job, wherever it runs. One that is being cancelled, or is, is returned as it is.
 *
 * @throws DomainError SORT_JOB_NOT_FOUND, or SORT_JOB_STATE where it has succeeded or failed.
 */
export async function cancelSortJob(
  deps: ChangeSortJobsDeps,
  tenant: string,
  id: string,
): Promise<SortJob> {
  const cancelled = await deps.db.transaction(async (tx) => {
    const job = await cancelJob(tx, tenant, id, deps.now());
    if (job && isSettled(job)) {
      await deps.announce(tx, { type: "SortJobFinished", job });
    }
    return job;
  });
  if (cancelled) {
    deps.runners.look(id);
    deps.runners.wake();
    // Nobody works on it who would: an attempt that was lost has left what it had.
    if (isSettled(cancelled)) await deps.cleanUp(cancelled);
    return cancelled;
  }
  const job = await existing(deps, tenant, id);
  if (job.state === "cancelling" || job.state === "cancelled") {
    return job;
  }
  throw wrongState(job, "there is nothing to stop");
}

/** Forgets a settled job. @throws DomainError SORT_JOB_NOT_FOUND or SORT_JOB_STATE. */
export async function deleteSortJob(
  deps: ChangeSortJobsDeps,
  tenant: string,
  id: string,
): Promise<void> {
  if (!(await deleteJob(deps.db, tenant, id))) {
    throw wrongState(await existing(deps, tenant, id), "cancel it first");
  }
}

/** Who asks for a change. */
export interface Changer {
  readonly tenant: string;
  readonly subject: string;
}

export interface FreshUrls {
  /** By the position of the input. */
  readonly inputs: ReadonlyMap<number, string>;
  readonly output: string | undefined;
}

/**
 * Puts a suspended job back into the queue with fresh URLs, for its owner alone: it reads as its owner, so whoever said where
 * it writes would get what the owner may read.
 *
 * @throws DomainError SORT_JOB_NOT_FOUND, NOT_OWNER, SORT_JOB_STATE, SPEC_INVALID (no such URL), INPUT_FORBIDDEN or
 * OUTPUT_FORBIDDEN.
 */
export async function resumeSortJob(
  deps: ChangeSortJobsDeps,
  { tenant, subject }: Changer,
  id: string,
  urls: FreshUrls,
): Promise<SortJob> {
  const job = await existing(deps, tenant, id);
  if (job.owner !== subject) {
    throw notOwner(id);
  }
  if (job.state !== "suspended") {
    throw wrongState(job, "it does not wait for URLs");
  }
  const plan = withUrls(job.plan, urls);
  checkPlaces(deps.places, plan.inputs, plan.output);
  const queued = await requeueJob(deps.db, tenant, id, plan, deps.now());
  if (!queued) {
    throw wrongState(await existing(deps, tenant, id), "it was changed");
  }
  deps.runners.wake();
  return queued;
}

function withUrls(plan: SortPlan, urls: FreshUrls): SortPlan {
  for (const position of urls.inputs.keys()) {
    if (plan.inputs[position]?.kind !== "url") {
      throw specInvalid(`input_urls[${position}]`, "the job has no URL there");
    }
  }
  if (urls.output !== undefined && plan.output?.kind !== "url") {
    throw specInvalid("output_url", "the job's output is no URL");
  }
  const inputs = plan.inputs.map((input, position) => {
    const url = urls.inputs.get(position);
    return input.kind === "url" && url !== undefined
      ? { ...input, url }
      : input;
  });
  const output =
    plan.output?.kind === "url" && urls.output !== undefined
      ? { ...plan.output, url: urls.output }
      : plan.output;
  return { ...plan, inputs, output };
}

async function existing(
  deps: ChangeSortJobsDeps,
  tenant: string,
  id: string,
): Promise<SortJob> {
  const job = await findJob(deps.db, tenant, id);
  if (!job) {
    throw jobNotFound(id);
  }
  return job;
}
