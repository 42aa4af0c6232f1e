import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { listPrepared, type Branch } from "../data/branch-store.ts";
import type { Executor } from "../data/executor.ts";
import { pageSize } from "./page-token.ts";

/** The branch that a request to a participant of two-phase commits is about. */
export function branchOf(
  participant: string,
  request: { readonly transaction: string; readonly epoch: bigint },
): Branch {
  const { transaction, epoch } = request;
  return { participant, transaction, epoch };
}

/** What a participant answers `ListInDoubt` with: the branches that it has prepared and was told nothing of, oldest first. */
export async function listInDoubt(
  db: Executor,
  participant: string,
  request: { readonly pageSize: number },
) {
  const limit = pageSize(request.pageSize);
  const branches = await listPrepared(db, participant, undefined, limit);
  return {
    branches: branches.map(({ preparedAt, transaction, epoch }) => ({
      transaction,
      epoch,
      prepareTime: timestampFromDate(preparedAt),
    })),
  };
}
