import { createRandom, type Random } from "./random.ts";

/** What may go wrong. Each heals by itself, or is healed by whoever did it. */
export const FAULTS = [
  "kill order",
  "kill inventory",
  "kill payment",
  "kill payment-provider",
  "restart order",
  "restart inventory",
  "restart payment",
  "pause order",
  "pause inventory",
  "pause payment",
  "pause payment-provider",
  "pause postgres",
  "crash postgres",
  "pause kafka",
  "terminate connections",
  "hold stock locks",
  "flush redis",
] as const;

export type FaultName = (typeof FAULTS | typeof MORE_FAULTS)[number];

/** How a network may fail: see `network-faults.ts`. */
export const TOXICS = [
  "delay",
  "trickle",
  "reset",
  "blackhole",
  "mute",
  "close late",
] as const;

/** The connections that lead through a proxy of ours. */
export const HOPS = [
  "postgres",
  "kafka",
  "inventory",
  "payment",
  "payment-provider",
] as const;

export type Hop = (typeof HOPS)[number];

export type NetworkFault = `${(typeof TOXICS)[number]} ${Hop}`;

/** More that may go wrong, by a stream of random numbers of its own: what a seed planned before they were known stays in its plan. */
export const MORE_FAULTS = [
  "stop kafka",
  "rebalance storm",
  "idle in transaction",
  "two coordinators",
  "pause redis",
  "clock of order",
  "clock of inventory",
  "clock of payment",
  ...TOXICS.flatMap((toxic) =>
    HOPS.map((hop): NetworkFault => `${toxic} ${hop}`),
  ),
] as const;

/** The ways to settle an order. */
export const MODES = ["orchestrated", "choreographed", "two-phase"] as const;

export type Mode = (typeof MODES)[number];

export interface PlannedFault {
  /** Milliseconds after the scenario's begin. */
  readonly atMs: number;
  readonly fault: FaultName;
  /** How long it holds, where it does. */
  readonly forMs: number;
}

export interface PlannedOrder {
  readonly atMs: number;
  readonly mode: Mode;
  readonly token: string;
  /** Units of each product of the scenario, at least one of one. */
  readonly quantities: readonly number[];
  /** How often the same request is sent at once. */
  readonly copies: 1 | 2 | 3;
  /** When to ask for its cancellation after it was accepted; undefined never. */
  readonly cancelAfterMs: number | undefined;
}

/** How the provider's webhooks go wrong during a run, as its stand-in takes it. */
export interface PlannedWebhooks {
  readonly duplicate: number;
  readonly delayMs: number;
  readonly reorder: boolean;
  readonly drop: number;
  readonly forge: boolean;
}

/** Everything that a seed decides. */
export interface Scenario {
  readonly seed: number;
  /** Opening stock by product; the first is scarce, the second hot. */
  readonly stock: readonly number[];
  readonly orders: readonly PlannedOrder[];
  readonly faults: readonly PlannedFault[];
  readonly webhooks: PlannedWebhooks;
}

const WEBHOOK_STREAM = 0x7eb_400c;
const MORE_STREAM = 0x3012e;
const MODE_STREAM = 0x30de;
const DURATION_MS = 8_000;
const ORDERS = 80;
const LONGEST_FAULT_MS = 6_000;
const KAFKA_STOP_MS = 20_000;
/** What a session that was left open is ended after, and how long a broken client may hold a transaction. */
const IDLE_MS = 30_000;
/** Longer than the lease of a driver: another one takes its orders over, and it comes back to find out. */
const LONGER_THAN_A_LEASE_MS = 20_000;

const TOKENS = [
  ...times(10, "tok_visa"),
  ...times(2, "tok_declined"),
  "tok_expired_card",
  "tok_slow",
  "tok_error",
  "tok_late_once",
  "tok_capture_late_once",
  "tok_cancel_late_once",
] as readonly string[] as readonly [string, ...string[]];

/**
 * Plans a run of orders and faults. The same seed is the same plan, for ever. Orders are of all modes, or all of `mode`,
 * which changes nothing else.
 */
export function planScenario(seed: number, mode?: Mode): Scenario {
  const random = createRandom(seed);
  // By numbers of their own, as those of the webhooks, so that the rest of a seed's plan is what it was.
  const modes = createRandom(seed ^ MODE_STREAM);
  const more = createRandom(seed ^ MORE_STREAM);
  return {
    seed,
    stock: [20, 10_000, 500, 500],
    orders: Array.from({ length: ORDERS }, () => ({
      ...planOrder(random),
      mode: mode ?? modes.pick(MODES),
    })),
    faults: [
      ...Array.from({ length: 2 + random.below(4) }, () => planFault(random)),
      ...Array.from({ length: 1 + more.below(2) }, () => planMore(more)),
    ],
    webhooks: planWebhooks(createRandom(seed ^ WEBHOOK_STREAM)),
  };
}

function planOrder(random: Random): Omit<PlannedOrder, "mode"> {
  const quantities = [0, 0, 0, 0];
  const first = random.chance(0.5) ? 1 : random.below(4);
  quantities[first] = 1 + random.below(3);
  if (random.chance(0.4)) {
    quantities[random.below(4)] = 1 + random.below(3);
  }
  return {
    atMs: random.below(DURATION_MS),
    token: random.pick(TOKENS),
    quantities,
    copies: random.pick([1, 1, 1, 2, 3]),
    cancelAfterMs: random.chance(0.2) ? random.below(400) : undefined,
  };
}

function planFault(random: Random): PlannedFault {
  const fault = random.pick(FAULTS);
  const isLong = fault === "pause order" && random.chance(0.3);
  return {
    atMs: random.below(DURATION_MS),
    fault,
    forMs: isLong
      ? LONGER_THAN_A_LEASE_MS
      : 500 + random.below(LONGEST_FAULT_MS),
  };
}

function planMore(random: Random): PlannedFault {
  const fault = random.pick(MORE_FAULTS);
  const atMs = random.below(DURATION_MS);
  const forMs = 500 + random.below(LONGEST_FAULT_MS);
  const longMs = LONGER[fault];
  return { atMs, fault, forMs: longMs ?? forMs };
}

const LONGER: Partial<Record<FaultName, number>> = {
  "stop kafka": KAFKA_STOP_MS,
  "idle in transaction": IDLE_MS,
};

function planWebhooks(random: Random): PlannedWebhooks {
  return {
    duplicate: random.pick([0, 0, 1, 2]),
    delayMs: random.pick([0, 0, 500, 3_000]),
    reorder: random.chance(0.5),
    drop: random.pick([0, 0, 0.3, 1]),
    forge: random.chance(0.5),
  };
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}
