import type { EventFigures } from "./measure-events.ts";
import type { Recovery } from "./measure-recovery.ts";
import type { SameKey } from "./measure-same-key.ts";
import type { OrderRate } from "./order-load.ts";

export interface Target {
  readonly what: string;
  readonly value: number;
  readonly is: ">=" | "<=" | "=";
  readonly limit: number;
  readonly met: boolean;
}

/** What the figures should be, on two cores. */
export function judge(figures: {
  readonly spread: readonly OrderRate[];
  readonly events: EventFigures;
  readonly sameKey: SameKey;
  readonly recovery: readonly Recovery[];
}): Target[] {
  const { events, sameKey } = figures;
  const c32 = figures.spread.find(({ inFlight }) => inFlight === 32);
  const slowest = Math.max(
    ...figures.recovery.map(({ settledAfterMs }) => settledAfterMs),
  );
  return [
    target("orders/s at 32 in flight", c32?.ordersPerSecond, ">=", 400),
    target("p99 of an order, ms", c32?.p99Ms, "<=", 400),
    target("event to Kafka's ack, p50 ms", events.p50Ms, "<=", 25),
    target("event to Kafka's ack, p99 ms", events.p99Ms, "<=", 120),
    target("events/s of a backlog", events.drainedPerSecond, ">=", 2_000),
    target("charges of 100 requests with one id", sameKey.charges, "=", 1),
    target("settled after SIGKILL, ms", slowest, "<=", 15_000),
  ];
}

function target(
  what: string,
  value: number | undefined,
  is: Target["is"],
  limit: number,
): Target {
  const measured = value ?? NaN;
  const met =
    is === "="
      ? measured === limit
      : is === ">="
        ? measured >= limit
        : measured <= limit;
  return { what, value: measured, is, limit, met };
}
