import type { Executor } from "../../platform/data/executor.ts";
import type { SortJob } from "../domain/sort-job.ts";
import type { SortPlan } from "../domain/sort-plan.ts";

/** A row of `sort_jobs`, as a query that selects {@link jobColumns} answers it. */
export interface JobRow {
  readonly id: string;
  readonly tenant: string;
  readonly owner: string;
  readonly request: Buffer;
  readonly plan: SortPlan;
  readonly state: SortJob["state"];
  readonly placement: SortJob["placement"] | null;
  readonly progress: SortJob["progress"] | null;
  readonly result: SortJob["result"] | null;
  readonly failure: SortJob["failure"] | null;
  readonly version: bigint;
  readonly attempts: number;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly updated_at: Date;
  readonly ended_at: Date | null;
}

const names = [
  "id",
  "tenant",
  "owner",
  "request",
  "plan",
  "state",
  "placement",
  "progress",
  "result",
  "failure",
  "version",
  "attempts",
  "created_at",
  "started_at",
  "updated_at",
  "ended_at",
];
export const jobColumns = names.map((name) => `sort_jobs.${name}`).join(", ");

export interface JobOrigin {
  readonly requestId: string | undefined;
  readonly requestHash: Buffer;
}

/** Stores a job that waits for its turn. False where the tenant has used the request id before. */
export async function insertJob(
  db: Executor,
  job: SortJob,
  origin: JobOrigin,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into sort_jobs (
       id, tenant, owner, request_id, request_hash, request, plan, state,
       version, created_at, updated_at
     )
     values ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, $9, $9)
     on conflict (tenant, request_id) where request_id is not null do nothing`,
    [
      job.id,
      job.tenant,
      job.owner,
      origin.requestId ?? null,
      origin.requestHash,
      Buffer.from(job.request),
      job.plan,
      job.version,
      job.createdAt,
    ],
  );
  return rowCount === 1;
}

/** Serializes whoever adds to the queue, so that its bound holds, until the transaction ends. */
export async function lockQueue(db: Executor): Promise<void> {
  await db.query(`select pg_advisory_xact_lock(hashtext('weft sort queue'))`);
}

/** How many jobs wait, of all and of a tenant. */
export async function countQueued(
  db: Executor,
  tenant: string,
): Promise<{ all: number; own: number }> {
  const { rows } = await db.query<{ all: bigint; own: bigint }>(
    `select count(*) as all, count(*) filter (where tenant = $1) as own
     from sort_jobs
     where state = 'queued'`,
    [tenant],
  );
  return { all: Number(rows[0]?.all ?? 0n), own: Number(rows[0]?.own ?? 0n) };
}

export async function findJobOfRequest(
  db: Executor,
  tenant: string,
  requestId: string,
): Promise<{ job: SortJob; requestHash: Buffer } | undefined> {
  const { rows } = await db.query<JobRow & { request_hash: Buffer }>(
    `select ${jobColumns}, request_hash
     from sort_jobs
     where tenant = $1
       and request_id = $2`,
    [tenant, requestId],
  );
  const [row] = rows;
  return row && { job: toJob(row), requestHash: row.request_hash };
}

export async function findJob(
  db: Executor,
  tenant: string,
  id: string,
): Promise<SortJob | undefined> {
  const { rows } = await db.query<JobRow>(
    `select ${jobColumns}
     from sort_jobs
     where id = $1
       and tenant = $2`,
    [id, tenant],
  );
  return rows[0] && toJob(rows[0]);
}

/** Those of these jobs that have changed since the version that is known of them. */
export async function findChangedJobs(
  db: Executor,
  known: readonly { id: string; version: bigint }[],
): Promise<SortJob[]> {
  const { rows } = await db.query<JobRow>(
    `select ${jobColumns}
     from sort_jobs
     join unnest($1::uuid[], $2::bigint[]) as known (id, version)
       on sort_jobs.id = known.id
      and sort_jobs.version > known.version`,
    [known.map(({ id }) => id), known.map(({ version }) => version)],
  );
  return rows.map(toJob);
}

/** A tenant's next jobs, newest first, after that one; from the newest without one. */
export async function listJobsAfter(
  db: Executor,
  tenant: string,
  after: { createdAt: Date; id: string } | undefined,
  limit: number,
): Promise<SortJob[]> {
  const { rows } = await db.query<JobRow>(
    `select ${jobColumns}
     from sort_jobs
     where tenant = $1
       and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
     order by created_at desc, id desc
     limit $4`,
    [tenant, after?.createdAt ?? null, after?.id ?? null, limit],
  );
  return rows.map(toJob);
}

/**
 * Ends a job that nobody works on, or tells whoever does to stop; one that Spark may still work on is for the next who looks
 * to stop there. Undefined where it is settled, or gone.
 */
export async function cancelJob(
  db: Executor,
  tenant: string,
  id: string,
  now: Date,
): Promise<SortJob | undefined> {
  const { rows } = await db.query<JobRow>(
    `update sort_jobs
     set state = case when state = 'running' or placement ? 'spark' then 'cancelling' else 'cancelled' end,
         ended_at = case when state = 'running' or placement ? 'spark' then null else $3::timestamptz end,
         lease_until = case when state = 'running' then lease_until when placement ? 'spark' then $3 end,
         failure = null,
         version = version + 1,
         updated_at = $3
     where id = $1
       and tenant = $2
       and state in ('queued', 'suspended', 'running')
     returning ${jobColumns}`,
    [id, tenant, now],
  );
  return rows[0] && toJob(rows[0]);
}

/** Puts a suspended job back into the queue with a new plan. Undefined where it is not suspended. */
export async function requeueJob(
  db: Executor,
  tenant: string,
  id: string,
  plan: SortPlan,
  now: Date,
): Promise<SortJob | undefined> {
  const { rows } = await db.query<JobRow>(
    `update sort_jobs
     set state = 'queued', plan = $3, failure = null, due_at = null, attempts = 0,
         version = version + 1, updated_at = $4
     where id = $1
       and tenant = $2
       and state = 'suspended'
     returning ${jobColumns}`,
    [id, tenant, plan, now],
  );
  return rows[0] && toJob(rows[0]);
}

/** Forgets a settled job. False where it is not settled, or gone. */
export async function deleteJob(
  db: Executor,
  tenant: string,
  id: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `delete from sort_jobs
     where id = $1
       and tenant = $2
       and ended_at is not null`,
    [id, tenant],
  );
  return rowCount === 1;
}

/** Forgets jobs that were settled before then. */
export async function pruneJobs(
  db: Executor,
  before: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from sort_jobs
     where id in (
       select id
       from sort_jobs
       where ended_at < $1
       limit $2
     )`,
    [before, limit],
  );
  return rowCount;
}

export function toJob(row: JobRow): SortJob {
  return {
    id: row.id,
    tenant: row.tenant,
    owner: row.owner,
    request: row.request,
    plan: row.plan,
    state: row.state,
    placement: row.placement ?? undefined,
    progress: row.progress ?? undefined,
    result: row.result ?? undefined,
    failure: row.failure ?? undefined,
    version: row.version,
    attempts: row.attempts,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    updatedAt: row.updated_at,
    endedAt: row.ended_at ?? undefined,
  };
}
