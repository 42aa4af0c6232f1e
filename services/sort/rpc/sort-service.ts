import { SortService } from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import type { ChangeSortJobsDeps } from "../app/change-sort-jobs.ts";
import type { CreateSortJobDeps } from "../app/create-sort-job.ts";
import type { SortStreamDeps } from "../app/sort-stream.ts";
import {
  cancelSortJob,
  deleteSortJob,
  resumeSortJob,
} from "./change-sort-jobs.ts";
import { createSortJob } from "./create-sort-job.ts";
import {
  getSortJob,
  listSortJobs,
  watchSortJob,
  type ReadSortJobsDeps,
} from "./read-sort-jobs.ts";
import { sortStream } from "./sort-stream.ts";

/** All that the RPCs need together. */
export type SortDeps = CreateSortJobDeps &
  ChangeSortJobsDeps &
  ReadSortJobsDeps &
  SortStreamDeps;

/** The Sort service, ready to be served. */
export function sortService(
  deps: SortDeps,
): MountedService<typeof SortService> {
  return service(SortService, {
    createSortJob: createSortJob(deps),
    getSortJob: getSortJob(deps),
    listSortJobs: listSortJobs(deps),
    cancelSortJob: cancelSortJob(deps),
    deleteSortJob: deleteSortJob(deps),
    watchSortJob: watchSortJob(deps),
    resumeSortJob: resumeSortJob(deps),
    sortStream: sortStream(deps),
  });
}
