import type { Executor } from "../../platform/data/executor.ts";
import type { Finding } from "../domain/finding.ts";
import * as store from "../store/findings.ts";

export interface ListFindings {
  readonly tenant: string;
  readonly showResolved: boolean;
  readonly after: Pick<Finding, "createdAt" | "id"> | undefined;
  readonly pageSize: number;
}

export interface FindingPage {
  readonly findings: readonly Finding[];
  /** Undefined on the last page. */
  readonly next: Finding | undefined;
}

/** A page of the tenant's findings, newest first. */
export async function listFindings(
  deps: { readonly db: Executor },
  { pageSize, ...query }: ListFindings,
): Promise<FindingPage> {
  const limit = pageSize + 1;
  const found = await store.listFindings(deps.db, { ...query, limit });
  const findings = found.slice(0, pageSize);
  return {
    findings,
    next: found.length > pageSize ? findings.at(-1) : undefined,
  };
}
