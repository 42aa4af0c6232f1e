import { createHash } from "node:crypto";
import type { Database } from "../../platform/data/database.ts";
import type { SortJob } from "../domain/sort-job.ts";
import type { SortPlan } from "../domain/sort-plan.ts";
import type { SparkObstacle } from "../domain/spark-limits.ts";
import {
  queueFull,
  requestIdReused,
  sparkUnavailable,
} from "../domain/sort-refusals.ts";
import {
  countQueued,
  findJobOfRequest,
  insertJob,
  lockQueue,
} from "../store/sort-jobs.ts";
import type { Announce } from "./announce.ts";
import type { JobRunners } from "./job-runners.ts";
import { checkPlaces, type Places } from "./places.ts";

export interface CreateSortJobDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly places: Places;
  readonly runners: Pick<JobRunners, "wake">;
  /** What keeps a job from Spark, if anything does. */
  readonly sparkObstacle: (plan: SortPlan) => SparkObstacle | undefined;
  readonly queueLimits: { readonly all: number; readonly perTenant: number };
  readonly newId: () => string;
  readonly now: () => Date;
}

export interface CreateSortJob {
  readonly tenant: string;
  readonly owner: string;
  readonly request: Uint8Array;
  readonly plan: SortPlan;
  readonly requestId: string | undefined;
}

/**
 * Stores a job, which goes on by itself from then on. The same request id with the same job returns the one that exists.
 *
 * @throws DomainError INPUT_FORBIDDEN, OUTPUT_FORBIDDEN, SPARK_UNAVAILABLE, QUEUE_FULL or REQUEST_ID_REUSED.
 */
export async function createSortJob(
  deps: CreateSortJobDeps,
  command: CreateSortJob,
): Promise<SortJob> {
  const { plan, requestId, tenant } = command;
  checkPlaces(deps.places, plan.inputs, plan.output);
  const obstacle = plan.engine === "spark" && deps.sparkObstacle(plan);
  if (obstacle) {
    throw sparkUnavailable(obstacle);
  }
  const job = newJob(command, deps.newId(), deps.now());
  const requestHash = createHash("sha256")
    .update(JSON.stringify([command.owner, plan]))
    .digest();
  const created = await deps.db.transaction(async (tx) => {
    await lockQueue(tx);
    const known = requestId && (await findJobOfRequest(tx, tenant, requestId));
    if (known) {
      if (!known.requestHash.equals(requestHash)) {
        throw requestIdReused(requestId);
      }
      return known.job;
    }
    const queued = await countQueued(tx, tenant);
    if (queued.own >= deps.queueLimits.perTenant) {
      throw queueFull("your tenant", deps.queueLimits.perTenant);
    }
    if (queued.all >= deps.queueLimits.all) {
      throw queueFull("all tenants", deps.queueLimits.all);
    }
    await insertJob(tx, job, { requestId, requestHash });
    await deps.announce(tx, { type: "SortJobCreated", job });
    return job;
  });
  deps.runners.wake();
  return created;
}

function newJob(command: CreateSortJob, id: string, at: Date): SortJob {
  return {
    id,
    tenant: command.tenant,
    owner: command.owner,
    request: command.request,
    plan: command.plan,
    state: "queued",
    placement: undefined,
    progress: undefined,
    result: undefined,
    failure: undefined,
    version: 1n,
    attempts: 0,
    createdAt: at,
    startedAt: undefined,
    updatedAt: at,
    endedAt: undefined,
  };
}
