import type { ReportSpan } from "../clients/provider.ts";
import {
  recheckFindings,
  reconcileSpan,
  type ReconcileDeps,
} from "./reconcile-span.ts";

const sliceMs = 5 * 60_000;
const recheckLimit = 50;

export interface ReconcileResult {
  readonly compared: number;
  /** Differences of the tenant. */
  readonly found: number;
}

/**
 * Compares a span on request, piece by piece, and looks again at what is open.
 *
 * @throws DomainError PROVIDER_UNAVAILABLE, or the signal's reason.
 */
export async function reconcilePayments(
  deps: ReconcileDeps,
  tenant: string,
  { start, end }: ReportSpan,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const startedAt = deps.now();
  let compared = 0;
  let found = 0;
  for (let from = start.getTime(); from < end.getTime(); from += sliceMs) {
    signal.throwIfAborted();
    const to = Math.min(from + sliceMs, end.getTime());
    const span = { start: new Date(from), end: new Date(to) };
    const slice = await reconcileSpan(deps, span);
    compared += slice.compared;
    found += slice.found.filter((one) => one.tenant === tenant).length;
  }
  await recheckFindings(deps, startedAt, recheckLimit);
  return { compared, found };
}
