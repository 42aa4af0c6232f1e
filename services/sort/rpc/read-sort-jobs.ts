import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { SortService } from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize, type PageTokens } from "../../platform/rpc/page-token.ts";
import type { JobChanges } from "../app/job-changes.ts";
import * as app from "../app/read-sort-jobs.ts";
import { jobId } from "./job-name.ts";
import { jobToProto } from "./job-to-proto.ts";

export interface ReadSortJobsDeps extends app.ReadSortJobsDeps {
  readonly pageTokens: PageTokens;
  readonly changes: JobChanges;
}

type Impl = ServiceImpl<typeof SortService>;

export function getSortJob(deps: ReadSortJobsDeps): Impl["getSortJob"] {
  return async ({ name }, context) => {
    const { tenant } = callerOf(context);
    const job = await app.getSortJob(deps, tenant, jobId(name));
    return { job: jobToProto(job) };
  };
}

export function listSortJobs(deps: ReadSortJobsDeps): Impl["listSortJobs"] {
  return async (request, context) => {
    const { tenant } = callerOf(context);
    const query = { method: "ListSortJobs", tenant };
    const [createdAt, id] = request.pageToken
      ? deps.pageTokens.decode(query, request.pageToken)
      : [];
    const after =
      createdAt && id ? { createdAt: new Date(createdAt), id } : undefined;
    const size = pageSize(request.pageSize);
    const { jobs, isMore } = await app.listSortJobs(deps, tenant, after, size);
    const last = jobs.at(-1);
    return {
      jobs: jobs.map(jobToProto),
      nextPageToken:
        isMore && last
          ? deps.pageTokens.encode(query, [
              last.createdAt.toISOString(),
              last.id,
            ])
          : "",
    };
  };
}

export function watchSortJob(deps: ReadSortJobsDeps): Impl["watchSortJob"] {
  return async function* ({ name }, context) {
    const { tenant } = callerOf(context);
    const { signal } = context;
    for await (const event of deps.changes.watch(tenant, jobId(name), signal)) {
      yield event.kind === "job"
        ? { event: { case: "job", value: jobToProto(event.job) } }
        : { event: { case: "heartbeat", value: timestampNow() } };
    }
  };
}
