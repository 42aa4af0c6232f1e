import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  ParticipantService,
  type SellStock,
} from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { listPrepared, type Branch } from "../../platform/data/branch-store.ts";
import { commitBranch, rollbackBranch } from "../../platform/data/two-phase.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { pageSize } from "../../platform/rpc/page-token.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import { prepareSale, type PrepareSaleDeps } from "../app/prepare-sale.ts";
import { resourceId } from "./resource-id.ts";

export interface ParticipantDeps extends PrepareSaleDeps {
  /** Has the relay look for the events of a branch that was committed. */
  readonly wakeRelay: () => void;
}

/** The participant of two-phase commits: it sells stock. */
export function participantService(
  deps: ParticipantDeps,
): MountedService<typeof ParticipantService> {
  return service(ParticipantService, {
    async prepare(request, context) {
      if (request.work.case !== "sellStock") throw workNotOurs();
      const command = {
        tenant: callerOf(context).tenant,
        id: resourceId(request.transaction),
        order: request.transaction,
        lines: linesOf(request.work.value),
      };
      await prepareSale(deps, branchOf(request), command, context.signal);
      return {};
    },
    async commit(request) {
      await commitBranch(deps, branchOf(request));
      deps.wakeRelay();
      return {};
    },
    async rollback(request) {
      await rollbackBranch(deps, branchOf(request));
      return {};
    },
    async listInDoubt(request) {
      const limit = pageSize(request.pageSize);
      const branches = await listPrepared(
        deps.resolver,
        "inventory",
        undefined,
        limit,
      );
      return {
        branches: branches.map(({ preparedAt, transaction, epoch }) => ({
          transaction,
          epoch,
          prepareTime: timestampFromDate(preparedAt),
        })),
      };
    },
  });
}

function branchOf(request: { transaction: string; epoch: bigint }): Branch {
  const { transaction, epoch } = request;
  return { participant: "inventory", transaction, epoch };
}

function linesOf({ lines }: SellStock) {
  return lines.map(({ sku, quantity, unitPrice }) => ({
    sku,
    quantity,
    unitPrice: moneyFromProto(unitPrice),
  }));
}

function workNotOurs(): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "WORK_NOT_OURS",
    message: "work: Inventory sells stock",
    field: "work",
  });
}
