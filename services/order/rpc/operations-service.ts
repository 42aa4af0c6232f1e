import type { HandlerContext } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { OperationsService } from "../../../gen/ts/weft/operations/v1/operations_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { namedRequestOf } from "../../platform/rpc/named-request.ts";
import { pageSize } from "../../platform/rpc/page-token.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import {
  type Decision,
  type DecideOrderDeps,
  forceResolveOrder,
  type KeepAnswer,
  retryOrder,
} from "../app/decide-order.ts";
import { listInDoubt, type ListInDoubtDeps } from "../app/list-in-doubt.ts";
import {
  listAudit,
  listStuck,
  type ListUnsettledDeps,
  type StuckQuery,
} from "../app/list-unsettled-orders.ts";
import {
  auditToProto,
  endOfProto,
  inDoubtToProto,
  stuckToProto,
} from "./operations-to-proto.ts";
import { orderIdOf } from "./order-id.ts";
import { orderToProto } from "./order-to-proto.ts";

/** All that the RPCs need together. */
export type OperationsDeps = DecideOrderDeps &
  ListInDoubtDeps &
  ListUnsettledDeps;

/** The methods that keep the name of a request in the transaction of its effect. */
export const joinedOperations = [
  OperationsService.method.retryOrder,
  OperationsService.method.forceResolveOrder,
] as const;

const UNCHANGED_MS = 5 * 60_000;

/** The Operations service, ready to be served. */
export function operationsService(
  deps: OperationsDeps,
): MountedService<typeof OperationsService> {
  return service(OperationsService, {
    listStuckOrders(request) {
      const { unchangedFor } = request;
      const forMs = unchangedFor ? durationMs(unchangedFor) : UNCHANGED_MS;
      return listPage(deps, { kind: "unchanged", forMs }, request);
    },
    listFailedCompensations: (request) =>
      listPage(deps, { kind: "needs attention" }, request),
    async listInDoubtTransactions({ inDoubtFor }) {
      const forMs = inDoubtFor ? durationMs(inDoubtFor) : 0;
      const { transactions, unreachable } = await listInDoubt(deps, forMs);
      return {
        transactions: transactions.map(inDoubtToProto),
        unreachableParticipants: [...unreachable],
      };
    },
    async retryOrder(request, context) {
      const decision = decisionOf(request, context);
      const order = await retryOrder(deps, decision, keepAnswer(context));
      return { order: orderToProto(order) };
    },
    async forceResolveOrder(request, context) {
      const order = await forceResolveOrder(
        deps,
        {
          ...decisionOf(request, context),
          end: endOfProto(request.outcome),
          settledByHand: request.settledByHand,
        },
        keepAnswer(context),
      );
      return { order: orderToProto(order) };
    },
    async listAuditRecords(request) {
      const orderId = orderIdOf(request.order) || undefined;
      const found = await listAudit(deps, orderId, pageOf(request));
      return {
        auditRecords: found.items.map(auditToProto),
        nextPageToken: found.nextPageToken,
      };
    },
  });
}

async function listPage(
  deps: ListUnsettledDeps,
  query: StuckQuery,
  request: { tenant: string; pageSize: number; pageToken: string },
) {
  const tenant = request.tenant || undefined;
  const found = await listStuck(deps, query, tenant, pageOf(request));
  return {
    orders: found.items.map(stuckToProto),
    nextPageToken: found.nextPageToken,
  };
}

function pageOf(request: { pageSize: number; pageToken: string }) {
  return { size: pageSize(request.pageSize), token: request.pageToken };
}

function decisionOf(
  request: { name: string; etag: string; reason: string; requestId: string },
  context: HandlerContext,
): Decision {
  const { subject, tenant } = callerOf(context);
  return {
    id: orderIdOf(request.name),
    etag: request.etag,
    actor: subject,
    actorTenant: tenant,
    reason: request.reason,
    requestId: request.requestId || undefined,
  };
}

function keepAnswer(context: HandlerContext): KeepAnswer | undefined {
  const named = namedRequestOf(context);
  return (
    named && {
      hold: (tx) => named.hold(tx),
      answer: (tx, order) => named.answer(tx, { order: orderToProto(order) }),
    }
  );
}
