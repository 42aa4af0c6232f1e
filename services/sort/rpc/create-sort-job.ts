import type { ServiceImpl } from "@connectrpc/connect";
import type { SortService } from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/create-sort-job.ts";
import { jobToProto } from "./job-to-proto.ts";
import { planFromProto, requestToKeep } from "./plan-from-proto.ts";

export function createSortJob(
  deps: app.CreateSortJobDeps,
): ServiceImpl<typeof SortService>["createSortJob"] {
  return async ({ job: stated, requestId }, context) => {
    if (!stated) throw new Error("the contract asks for a job");
    const { tenant, subject } = callerOf(context);
    const job = await app.createSortJob(deps, {
      tenant,
      owner: subject,
      plan: planFromProto(stated),
      request: requestToKeep(stated),
      requestId: requestId || undefined,
    });
    return { job: jobToProto(job) };
  };
}
