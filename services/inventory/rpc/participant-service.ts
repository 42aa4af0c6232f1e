import type { HandlerContext } from "@connectrpc/connect";
import {
  ParticipantService,
  type SellStock,
} from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import {
  branchOf,
  listInDoubt,
} from "../../platform/rpc/participant-branches.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import {
  commitSale,
  prepareSale,
  rollbackSale,
  type PrepareSaleDeps,
  type Sale,
} from "../app/prepare-sale.ts";
import { resourceId } from "./resource-id.ts";

const PARTICIPANT = "inventory";

/** The participant of two-phase commits: it sells stock. */
export function participantService(
  deps: PrepareSaleDeps,
): MountedService<typeof ParticipantService> {
  return service(ParticipantService, {
    async prepare(request, context) {
      if (request.work.case !== "sellStock") throw workNotOurs();
      const lines = linesOf(request.work.value);
      const sale = { ...saleOf(request, context), lines };
      await prepareSale(
        deps,
        branchOf(PARTICIPANT, request),
        sale,
        context.signal,
      );
      return {};
    },
    async commit(request, context) {
      const sale = saleOf(request, context);
      await commitSale(
        deps,
        branchOf(PARTICIPANT, request),
        sale,
        context.signal,
      );
      return {};
    },
    async rollback(request, context) {
      const { again } = request;
      const sale = saleOf(request, context);
      await rollbackSale(
        deps,
        branchOf(PARTICIPANT, request),
        sale,
        again,
        context.signal,
      );
      return {};
    },
    listInDoubt: (request) => listInDoubt(deps.resolver, PARTICIPANT, request),
  });
}

function saleOf(
  { transaction }: { transaction: string },
  context: HandlerContext,
): Sale {
  const { tenant } = callerOf(context);
  return { tenant, id: resourceId(transaction), order: transaction };
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
