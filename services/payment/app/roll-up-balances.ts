import { sleep } from "../../platform/data/backoff.ts";
import type { Database } from "../../platform/data/database.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { rollUpBalances } from "../store/ledger-balances.ts";

const everyMs = 60_000;

/** Keeps balances cheap: once a minute what was booked since is added up, until `stop` aborts. */
export async function keepBalances(
  deps: { readonly db: Database; readonly logger: Logger },
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    await sleep(everyMs * (0.5 + Math.random()), stop).catch(() => undefined);
    if (stop.aborted) return;
    await rollUpBalances(deps.db).catch((error: unknown) =>
      deps.logger.warn({ err: error }, "balances are not rolled up"),
    );
  }
}
