/** One event of an order, as it came back from Kafka. */
export interface TimelineEntry {
  readonly eventId: string;
  readonly type: string;
  readonly source: string;
  readonly eventTime: Date;
  readonly receiveTime: Date;
  /** 32 hex digits, or empty where the event came without a trace. */
  readonly traceId: string;
}

/**
 * What an event can only follow, first to last. Events carry milliseconds (CloudEvents' `time`, as JavaScript tells it),
 * and a fast machine takes two steps within one: there the course of an order decides, not chance.
 */
const COURSE = [
  "weft.order.v1.OrderPlaced",
  "weft.inventory.v1.StockReserved",
  "weft.inventory.v1.StockRefused",
  "weft.payment.v1.PaymentAuthorized",
  "weft.payment.v1.PaymentDeclined",
  "weft.inventory.v1.StockConfirmed",
  "weft.order.v1.OrderConfirmed",
  "weft.payment.v1.PaymentCaptured",
  "weft.payment.v1.PaymentVoided",
  "weft.payment.v1.PaymentRefunded",
  "weft.inventory.v1.ReservationExpired",
  "weft.inventory.v1.StockReleased",
  "weft.order.v1.OrderNeedsAttention",
  "weft.order.v1.OrderCompleted",
  "weft.order.v1.OrderRejected",
  "weft.order.v1.OrderCancelled",
];
const rankOf = new Map(COURSE.map((type, rank) => [type, rank]));

/** Oldest first; of one millisecond, in the course of an order, and after it what is not known here, by event id. */
export function oldestFirst(
  entries: readonly TimelineEntry[],
): TimelineEntry[] {
  return entries.toSorted(
    (a, b) =>
      a.eventTime.getTime() - b.eventTime.getTime() ||
      rank(a) - rank(b) ||
      (a.eventId < b.eventId ? -1 : 1),
  );
}

function rank({ type }: TimelineEntry): number {
  return rankOf.get(type) ?? COURSE.length;
}
