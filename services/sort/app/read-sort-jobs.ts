import type { Database } from "../../platform/data/database.ts";
import type { SortJob } from "../domain/sort-job.ts";
import { jobNotFound } from "../domain/sort-refusals.ts";
import { findJob, listJobsAfter } from "../store/sort-jobs.ts";

export interface ReadSortJobsDeps {
  readonly db: Database;
}

/** A job of this tenant's. @throws DomainError SORT_JOB_NOT_FOUND. */
export async function getSortJob(
  deps: ReadSortJobsDeps,
  tenant: string,
  id: string,
): Promise<SortJob> {
  const job = await findJob(deps.db, tenant, id);
  if (!job) {
    throw jobNotFound(id);
  }
  return job;
}

/** One page of a tenant's jobs, and whether there is another. */
export async function listSortJobs(
  deps: ReadSortJobsDeps,
  tenant: string,
  after: { createdAt: Date; id: string } | undefined,
  pageSize: number,
): Promise<{ jobs: SortJob[]; isMore: boolean }> {
  // One more than asked for tells whether there is a next page.
  const found = await listJobsAfter(deps.db, tenant, after, pageSize + 1);
  return { jobs: found.slice(0, pageSize), isMore: found.length > pageSize };
}
