import { Order_Coordination as Coordination } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderPlacedSchema } from "../../../gen/ts/weft/order/v1/order_events_pb.ts";
import {
  PaymentAuthorizedSchema,
  PaymentDeclinedSchema,
} from "../../../gen/ts/weft/payment/v1/payment_events_pb.ts";
import {
  onBatch,
  reads,
  type EventHandler,
  type EventReader,
  type ReceivedEvent,
} from "../../platform/events/event-handler.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { DEFAULT_TTL_MS } from "../domain/reservation.ts";
import {
  followOrders,
  type FollowOrdersDeps,
  type OrderHappening,
} from "../app/follow-orders.ts";

/** What Inventory does by itself for choreographed orders, and for no others. */
export function onChoreographedOrder(deps: FollowOrdersDeps): EventHandler[] {
  return onBatch(readers, (tx, news) => followOrders(deps, tx, news));
}

const readers: readonly EventReader<OrderHappening>[] = [
  reads(OrderPlacedSchema, placedNews),
  reads(PaymentAuthorizedSchema, ({ tenant, subject, message }) =>
    message.choreographed
      ? { kind: "authorized", tenant, id: subject }
      : undefined,
  ),
  reads(PaymentDeclinedSchema, ({ tenant, subject, message }) =>
    message.choreographed
      ? { kind: "declined", tenant, id: subject }
      : undefined,
  ),
];

function placedNews({
  tenant,
  subject: id,
  message: { order, sealedPaymentToken },
}: ReceivedEvent<typeof OrderPlacedSchema>): OrderHappening | undefined {
  if (order?.coordination !== Coordination.CHOREOGRAPHED) return undefined;
  const { lines, expectedTotal } = order;
  const placed = {
    tenant,
    id,
    order: `orders/${id}`,
    lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
    ttlMs: DEFAULT_TTL_MS,
    expectedTotal: expectedTotal && moneyFromProto(expectedTotal),
    sealedPaymentToken,
  };
  return { kind: "placed", placed };
}
