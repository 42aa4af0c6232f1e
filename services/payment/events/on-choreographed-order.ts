import {
  StockConfirmedSchema,
  StockReservedSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import type { Money } from "../../../gen/ts/google/type/money_pb.ts";
import type { Caused } from "../../platform/events/consumer-span.ts";
import {
  onBatch,
  reads,
  type EventHandler,
  type EventReader,
} from "../../platform/events/event-handler.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import type { Secret } from "../../platform/runtime/config.ts";
import {
  authorizeForStock,
  captureForStock,
  type FollowOrdersDeps,
} from "../app/follow-orders.ts";
import { openToken } from "./open-token.ts";

/** What Payment does by itself for choreographed orders, and for no others. A payment has its order's id. */
export function onChoreographedOrder(
  deps: FollowOrdersDeps,
  tokenSecret: Secret,
): EventHandler[] {
  return onBatch(readers, async (tx, news) => {
    const authorizes = news.flatMap((each) =>
      each.kind === "reserved" ? commandOf(each, tokenSecret) : [],
    );
    await authorizeForStock(deps, tx, authorizes);
    const sold = news.filter(({ kind }) => kind === "sold");
    await captureForStock(deps, tx, sold);
  });
}

/** What has happened to an order's stock. */
type StockNews = { readonly tenant: string; readonly id: string } & (
  | {
      readonly kind: "reserved";
      readonly total: Money | undefined;
      readonly sealedPaymentToken: Uint8Array;
    }
  | { readonly kind: "sold" }
);

const readers: readonly EventReader<StockNews>[] = [
  reads(StockReservedSchema, ({ tenant, subject, message }) => {
    const { choreographed, reservation, sealedPaymentToken } = message;
    if (!choreographed) return undefined;
    const { total } = reservation ?? {};
    return { kind: "reserved", tenant, id: subject, total, sealedPaymentToken };
  }),
  reads(StockConfirmedSchema, ({ tenant, subject, message }) =>
    message.choreographed ? { kind: "sold", tenant, id: subject } : undefined,
  ),
];

/** @throws DomainError TOKEN_UNREADABLE. */
function commandOf(
  news: Caused<Extract<StockNews, { kind: "reserved" }>>,
  tokenSecret: Secret,
) {
  const { tenant, id, total, sealedPaymentToken, cause } = news;
  const token = openToken(tokenSecret, id, sealedPaymentToken);
  const amount = moneyFromProto(total);
  return { tenant, paymentId: id, orderId: id, amount, token, cause };
}
