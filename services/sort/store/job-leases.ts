import type { Executor } from "../../platform/data/executor.ts";
import type {
  JobFailure,
  JobProgress,
  JobResult,
  Placement,
  SortJob,
} from "../domain/sort-job.ts";
import { jobColumns, toJob, type JobRow } from "./sort-jobs.ts";

/** A job that this process works on, for as long as its lease holds. */
export interface LeasedJob {
  readonly job: SortJob;
  readonly epoch: bigint;
  /** Whether its temp folder is another's, so that it begins anew. */
  readonly isElsewhere: boolean;
}

export interface Claim {
  /** The claimer's temp folder. */
  readonly home: string;
  readonly now: Date;
  readonly leaseUntil: Date;
  /** A job whose lease ran out before then is taken even where its temp folder is another's. */
  readonly abandonedBefore: Date;
  /** Jobs of a tenant that may run at once. */
  readonly perTenant: number;
  /** Whether there is room for a job of Spark's. */
  readonly withSpark: boolean;
}

/**
 * Takes the job whose turn it is: one that its owner left behind, else the oldest of the tenant that has the fewest running
 * and was served longest ago. Undefined where there is none.
 */
export async function claimJob(
  db: Executor,
  claim: Claim,
): Promise<LeasedJob | undefined> {
  const { rows } = await db.query<
    JobRow & { epoch: bigint; is_elsewhere: boolean }
  >(
    `with running as (
       select tenant, count(*) as jobs
       from sort_jobs
       where state in ('running', 'cancelling')
         and lease_until > $2
       group by tenant
     ),
     next as materialized (
       select sort_jobs.id, sort_jobs.home
       from sort_jobs
       left join running using (tenant)
       left join sort_turns using (tenant)
       where (
           (
             lease_until <= $2
             and (home = $1 or lease_until <= $4)
           ) or (
             state = 'queued'
             and coalesce(running.jobs, 0) < $5
             and (due_at is null or due_at <= $2)
           )
         )
         and ($6 or coalesce(placement ->> 'engine', plan ->> 'engine') <> 'spark')
       order by lease_until nulls last, coalesce(running.jobs, 0),
         served_at nulls first, created_at, sort_jobs.id
       limit 1
       for update of sort_jobs skip locked
     ),
     turn as (
       insert into sort_turns (tenant, served_at)
       select tenant, $2
       from next
       join sort_jobs using (id)
       on conflict (tenant) do update set served_at = excluded.served_at
     )
     update sort_jobs
     set state = case state when 'cancelling' then 'cancelling' else 'running' end,
         home = $1, lease_until = $3, epoch = epoch + 1,
         attempts = attempts + 1, version = version + 1,
         started_at = coalesce(started_at, $2), updated_at = $2
     from next
     where sort_jobs.id = next.id
     returning ${jobColumns}, epoch, next.home is not null and next.home <> $1 as is_elsewhere`,
    [
      claim.home,
      claim.now,
      claim.leaseUntil,
      claim.abandonedBefore,
      claim.perTenant,
      claim.withSpark,
    ],
  );
  const [row] = rows;
  return (
    row && {
      job: toJob(row),
      epoch: row.epoch,
      isElsewhere: row.is_elsewhere,
    }
  );
}

/** Keeps a job, and stores how far it is. Undefined where somebody else has it now. */
export async function renewLease(
  db: Executor,
  { job, epoch }: LeasedJob,
  leaseUntil: Date,
  progress: JobProgress | undefined,
  now: Date,
): Promise<SortJob | undefined> {
  const { rows } = await db.query<JobRow>(
    `update sort_jobs
     set lease_until = $3,
         progress = coalesce($4, progress),
         version = version + case when $4::jsonb is null or $4 = progress then 0 else 1 end,
         updated_at = $5
     where id = $1
       and epoch = $2
       and lease_until is not null
     returning ${jobColumns}`,
    [job.id, epoch, leaseUntil, progress ?? null, now],
  );
  return rows[0] && toJob(rows[0]);
}

/** Stores where a job runs. False where somebody else has it now. */
export async function placeJob(
  db: Executor,
  { job, epoch }: LeasedJob,
  placement: Placement,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update sort_jobs
     set placement = $3, version = version + 1, updated_at = $4
     where id = $1
       and epoch = $2
       and lease_until is not null`,
    [job.id, epoch, placement, now],
  );
  return rowCount === 1;
}

/** How a job ends for whoever works on it. */
export type JobEnd =
  | { readonly state: "succeeded"; readonly result: JobResult }
  | { readonly state: "failed" | "suspended"; readonly failure: JobFailure }
  | { readonly state: "cancelled" }
  | {
      readonly state: "queued";
      readonly dueAt: Date;
      /** Whether the attempt was given up for our own sake: it does not count. */
      readonly isDrained: boolean;
    };

/**
 * Ends the work on a job. One that would go on and is being cancelled is left for the next to cancel, who may have it at
 * once. Undefined where somebody else has it now.
 */
export async function endJob(
  db: Executor,
  { job, epoch }: LeasedJob,
  end: JobEnd,
  progress: JobProgress | undefined,
  now: Date,
): Promise<SortJob | undefined> {
  const isSettled = end.state !== "suspended" && end.state !== "queued";
  const { rows } = await db.query<JobRow>(
    `update sort_jobs
     set state = case when state = 'cancelling' and $11 then state else $3 end,
         lease_until = case when state = 'cancelling' and $11 then $8::timestamptz end,
         result = $4, failure = $5, progress = coalesce($6, progress),
         ended_at = $7, updated_at = $8, due_at = $9,
         attempts = attempts - $10, version = version + 1
     where id = $1
       and epoch = $2
       and lease_until is not null
     returning ${jobColumns}`,
    [
      job.id,
      epoch,
      end.state,
      end.state === "succeeded" ? end.result : null,
      "failure" in end ? end.failure : null,
      progress ?? null,
      isSettled ? now : null,
      now,
      "dueAt" in end ? end.dueAt : null,
      "isDrained" in end && end.isDrained ? 1 : 0,
      !isSettled,
    ],
  );
  return rows[0] && toJob(rows[0]);
}

/** Jobs that have waited for fresh URLs for too long; each is taken, to be ended. */
export async function failStaleSuspensions(
  db: Executor,
  before: Date,
  now: Date,
): Promise<SortJob[]> {
  const { rows } = await db.query<JobRow>(
    `update sort_jobs
     set state = 'failed', ended_at = $2, updated_at = $2, version = version + 1
     where state = 'suspended'
       and updated_at < $1
     returning ${jobColumns}`,
    [before, now],
  );
  return rows.map(toJob);
}

/** A job whose folder nobody needs any more. */
export interface Unneeded {
  readonly id: string;
  /** Undefined where it is gone. */
  readonly job: SortJob | undefined;
}

/** Those among these whose folder nobody needs any more: settled, gone, or another's. */
export async function findUnneeded(
  db: Executor,
  home: string,
  ids: readonly string[],
): Promise<Unneeded[]> {
  const { rows } = await db.query<
    JobRow & { wanted_id: string; is_gone: boolean }
  >(
    `select wanted.id as wanted_id, sort_jobs.id is null as is_gone, ${jobColumns}
     from unnest($2::uuid[]) as wanted (id)
     left join sort_jobs on sort_jobs.id = wanted.id
     where sort_jobs.id is null
        or sort_jobs.ended_at is not null
        or sort_jobs.home is distinct from $1`,
    [home, ids],
  );
  return rows.map((row) => ({
    id: row.wanted_id,
    job: row.is_gone ? undefined : toJob(row),
  }));
}
