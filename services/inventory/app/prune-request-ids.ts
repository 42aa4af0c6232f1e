import type { Database } from "../../platform/data/database.ts";
import { pruneInBatches } from "../../platform/events/prune.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { forgetRequestIds } from "../store/request-ids.ts";

/** Far beyond the time in which a caller tries the same request again. */
const RETENTION_MS = 7 * 86_400_000;

export interface PruneRequestIdsDeps {
  readonly db: Database;
  readonly logger: Logger;
  readonly now: () => Date;
}

/** Forgets request ids a week after their use, until `stop` aborts. */
export function pruneRequestIds(
  deps: PruneRequestIdsDeps,
  stop: AbortSignal,
): Promise<void> {
  return pruneInBatches(
    { logger: deps.logger, name: "request_ids" },
    (limit) =>
      forgetRequestIds(
        deps.db,
        new Date(deps.now().getTime() - RETENTION_MS),
        limit,
      ),
    stop,
  );
}
