import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { RateLimitAdminService } from "../../../gen/ts/weft/ratelimit/v1/rate_limit_admin_service_pb.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import { peek, type PeekDeps } from "../app/peek.ts";
import { reset, type ResetDeps } from "../app/reset.ts";
import { topOffenders, type TopOffendersDeps } from "../app/top-offenders.ts";
import type { LoadedRules } from "../app/watch-rules.ts";
import { counterToProto } from "./counter-to-proto.ts";

export interface AdminDeps extends PeekDeps, ResetDeps, TopOffendersDeps {
  readonly loaded: () => LoadedRules;
  readonly fault: () => string | undefined;
}

const DEFAULT_PAGE = 20;
const LARGEST_PAGE = 100;

/** The operators' API, ready to be served. */
export function adminService(
  deps: AdminDeps,
): MountedService<typeof RateLimitAdminService> {
  return service(RateLimitAdminService, {
    async peek({ entries }) {
      const outcomes = await peek(deps, new Map(Object.entries(entries)));
      return { counters: outcomes.map(counterToProto) };
    },
    async reset({ entries }) {
      return { rules: await reset(deps, new Map(Object.entries(entries))) };
    },
    async listTopOffenders({ pageSize }) {
      const most = Math.min(pageSize || DEFAULT_PAGE, LARGEST_PAGE);
      const offenders = await topOffenders(deps, most);
      return {
        offenders: offenders.map(({ refusals, ...rest }) => ({
          ...rest,
          refusals: BigInt(Math.round(refusals)),
        })),
      };
    },
    getConfiguration() {
      const { text, version, loadedAt } = deps.loaded();
      return {
        yaml: text,
        version,
        loadTime: timestampFromDate(loadedAt),
        fault: deps.fault() ?? "",
      };
    },
  });
}
