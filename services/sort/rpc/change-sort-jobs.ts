import type { ServiceImpl } from "@connectrpc/connect";
import type { SortService } from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/change-sort-jobs.ts";
import { jobId } from "./job-name.ts";
import { jobToProto } from "./job-to-proto.ts";

type Impl = ServiceImpl<typeof SortService>;
type Deps = app.ChangeSortJobsDeps;

export function cancelSortJob(deps: Deps): Impl["cancelSortJob"] {
  return async ({ name }, context) => {
    const { tenant } = callerOf(context);
    const job = await app.cancelSortJob(deps, tenant, jobId(name));
    return { job: jobToProto(job) };
  };
}

export function deleteSortJob(deps: Deps): Impl["deleteSortJob"] {
  return async ({ name }, context) => {
    await app.deleteSortJob(deps, callerOf(context).tenant, jobId(name));
    return {};
  };
}

export function resumeSortJob(deps: Deps): Impl["resumeSortJob"] {
  return async ({ name, inputUrls, outputUrl }, context) => {
    const job = await app.resumeSortJob(deps, callerOf(context), jobId(name), {
      inputs: new Map(
        Object.entries(inputUrls).map(([at, url]) => [Number(at), url]),
      ),
      output: outputUrl || undefined,
    });
    return { job: jobToProto(job) };
  };
}
