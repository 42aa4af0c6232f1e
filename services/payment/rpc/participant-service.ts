import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ParticipantService } from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { listPrepared, type Branch } from "../../platform/data/branch-store.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize } from "../../platform/rpc/page-token.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import {
  commitPayment,
  preparePayment,
  rollbackPayment,
  type PreparePaymentDeps,
} from "../app/prepare-payment.ts";
import { amountFromProto } from "./amount-from-proto.ts";
import { resourceId } from "./resource-id.ts";

/** The participant of two-phase commits: it takes payments. A payment has its order's id. */
export function participantService(
  deps: PreparePaymentDeps,
): MountedService<typeof ParticipantService> {
  return service(ParticipantService, {
    async prepare(request, context) {
      if (request.work.case !== "takePayment") throw workNotOurs();
      const id = resourceId(request.transaction);
      const { amount, paymentToken } = request.work.value;
      const command = {
        tenant: callerOf(context).tenant,
        paymentId: id,
        orderId: id,
        amount: amountFromProto(amount),
        token: paymentToken,
      };
      await preparePayment(deps, branchOf(request), command, context.signal);
      return {};
    },
    async commit(request, context) {
      const { tenant } = callerOf(context);
      const key = { tenant, id: resourceId(request.transaction) };
      await commitPayment(deps, branchOf(request), key);
      return {};
    },
    async rollback(request, context) {
      const { tenant } = callerOf(context);
      const key = { tenant, id: resourceId(request.transaction) };
      await rollbackPayment(deps, branchOf(request), key, request.again);
      return {};
    },
    async listInDoubt(request) {
      const limit = pageSize(request.pageSize);
      const branches = await listPrepared(
        deps.resolver,
        "payment",
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
  return { participant: "payment", transaction, epoch };
}

function workNotOurs(): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "WORK_NOT_OURS",
    message: "work: Payment takes payments",
    field: "work",
  });
}
