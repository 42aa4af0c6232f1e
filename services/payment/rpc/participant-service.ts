import { ParticipantService } from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import {
  branchOf,
  listInDoubt,
} from "../../platform/rpc/participant-branches.ts";
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

const PARTICIPANT = "payment";

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
      await preparePayment(
        deps,
        branchOf(PARTICIPANT, request),
        command,
        context.signal,
      );
      return {};
    },
    async commit(request, context) {
      const { tenant } = callerOf(context);
      const key = { tenant, id: resourceId(request.transaction) };
      await commitPayment(deps, branchOf(PARTICIPANT, request), key);
      return {};
    },
    async rollback(request, context) {
      const { tenant } = callerOf(context);
      const key = { tenant, id: resourceId(request.transaction) };
      await rollbackPayment(
        deps,
        branchOf(PARTICIPANT, request),
        key,
        request.again,
      );
      return {};
    },
    listInDoubt: (request) => listInDoubt(deps.resolver, PARTICIPANT, request),
  });
}

function workNotOurs(): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "WORK_NOT_OURS",
    message: "work: Payment takes payments",
    field: "work",
  });
}
