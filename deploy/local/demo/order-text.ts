import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Money } from "../../../gen/ts/google/type/money_pb.ts";
import type {
  Order,
  OrderTimelineEntry,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { stateName, type DemoOrder } from "./demo-orders.ts";

/** What was asked for. */
export function describeRequest({ lines, paymentToken }: DemoOrder): string {
  const asked = lines.map(({ sku, quantity }) => `${quantity} x ${sku}`);
  return `asked    ${asked.join(", ")}, paid with ${paymentToken}`;
}

/** How an order ended. */
export function describeOutcome(order: Order, answeredInMs: number): string[] {
  const { failure, total } = order;
  const state = [
    stateName(order.state),
    ...(total ? [formatMoney(total)] : []),
    `answered in ${Math.round(answeredInMs)} ms`,
    order.name,
  ];
  return [
    `state    ${state.join(", ")}`,
    ...(failure ? [`because  ${failure.reason}: ${failure.message}`] : []),
  ];
}

/** The events of an order as they came back from Kafka, with the time since the first one. */
export function describeTimeline(order: Order): string[] {
  const begin = happenedAt(order.timeline[0]);
  const entries = order.timeline.map((entry) => {
    const offset = happenedAt(entry) - begin;
    const onTheWay = receivedAt(entry) - happenedAt(entry);
    const columns = [
      `+${offset} ms`.padStart(9),
      entry.type.padEnd(34),
      `from ${entry.source.split("/").at(-1)}`.padEnd(15),
      `back after ${onTheWay} ms`,
    ];
    return columns.join("  ");
  });
  return ["events   as they came back from Kafka", ...entries];
}

/** An amount as people write it, exact to its last digit: `€54.75`. */
export function formatMoney({ currencyCode, units, nanos }: Money): string {
  const sign = units < 0n || nanos < 0 ? "-" : "";
  const whole = units < 0n ? -units : units;
  const fraction = String(Math.abs(nanos)).padStart(9, "0");
  const format = new Intl.NumberFormat("en", {
    style: "currency",
    currency: currencyCode,
  });
  // A decimal string is formatted as it is; a number would round above 2^53.
  return format.format(
    `${sign}${whole}.${fraction}` as Intl.StringNumericLiteral,
  );
}

function happenedAt(entry: OrderTimelineEntry | undefined): number {
  return entry?.eventTime ? timestampDate(entry.eventTime).getTime() : 0;
}

function receivedAt(entry: OrderTimelineEntry): number {
  return entry.receiveTime ? timestampDate(entry.receiveTime).getTime() : 0;
}
