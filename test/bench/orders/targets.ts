import { z } from "zod";

export interface Target {
  readonly what: string;
  readonly value: number;
  readonly is: ">=" | "<=" | "=";
  readonly limit: number;
  readonly met: boolean;
}

const rate = z.object({
  inFlight: z.number(),
  ordersPerSecond: z.number(),
  p99Ms: z.number(),
});

/** What the targets look at; a part that was never measured is not there. */
const measured = z.object({
  spread: z.array(rate).optional(),
  peer: z.object({ ratio: z.number() }).optional(),
  modes: z
    .object({
      ratios: z.object({
        choreographed: z.number(),
        twoPhase: z.number(),
        twoPhaseHot: z.number(),
      }),
    })
    .optional(),
  overload: z.object({ p99Ratio: z.number() }).optional(),
  events: z
    .object({
      p50Ms: z.number(),
      p99Ms: z.number(),
      drainedPerSecond: z.number(),
    })
    .optional(),
  sameKey: z.object({ charges: z.number() }).optional(),
  recovery: z.array(z.object({ settledAfterMs: z.number() })).optional(),
});

/** What the figures should be, on two cores. */
export function judge(result: object): Target[] {
  const { spread, modes, peer, overload, events, sameKey, recovery } =
    measured.parse(result);
  const c32 = spread?.find(({ inFlight }) => inFlight === 32);
  const slowest =
    recovery &&
    Math.max(...recovery.map(({ settledAfterMs }) => settledAfterMs));
  return [
    target("orders/s at 32 in flight", c32?.ordersPerSecond, ">=", 400),
    target("p99 of an order, ms", c32?.p99Ms, "<=", 400),
    target(
      "choreographed by orchestrated",
      modes?.ratios.choreographed,
      ">=",
      0.8,
    ),
    target(
      "two-phase commit by orchestrated",
      modes?.ratios.twoPhase,
      ">=",
      0.75,
    ),
    target("the same, one hot SKU", modes?.ratios.twoPhaseHot, ">=", 0.45),
    target("orders/s by a DBOS workflow's", peer?.ratio, ">=", 1),
    target(
      "p99 of accepted orders at 3x by unloaded",
      overload?.p99Ratio,
      "<=",
      2,
    ),
    target("event to Kafka's ack, p50 ms", events?.p50Ms, "<=", 25),
    target("event to Kafka's ack, p99 ms", events?.p99Ms, "<=", 120),
    target("events/s of a backlog", events?.drainedPerSecond, ">=", 2_000),
    target("charges of 100 requests with one id", sameKey?.charges, "=", 1),
    target("settled after SIGKILL, ms", slowest, "<=", 15_000),
  ].flat();
}

function target(
  what: string,
  value: number | undefined,
  is: Target["is"],
  limit: number,
): Target[] {
  if (value === undefined) return [];
  const met =
    is === "="
      ? value === limit
      : is === ">="
        ? value >= limit
        : value <= limit;
  return [{ what, value, is, limit, met }];
}
