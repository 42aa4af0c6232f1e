import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Money } from "../../../services/inventory/domain/money.ts";
import {
  confirm,
  expire,
  hold,
  release,
  releasedBeforeMade,
  repeatOf,
  type Reservation,
  type ReserveCommand,
} from "../../../services/inventory/domain/reservation.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";

const start = new Date("2026-01-01T00:00:00Z");
const ttlMs = 60_000;
const end = new Date(start.getTime() + ttlMs);
const justBefore = new Date(end.getTime() - 1);

const command: ReserveCommand = {
  tenant: "acme",
  id: "0199a5a0-0000-7000-8000-000000000001",
  order: "orders/1",
  lines: [
    { sku: "pen", quantity: 3 },
    { sku: "mug", quantity: 2 },
  ],
  ttlMs,
};

const prices = new Map<string, Money>([
  ["mug", { currency: "EUR", minorUnits: 1_250n }],
  ["pen", { currency: "EUR", minorUnits: 99n }],
]);

const held = hold(command, prices, start);

function reasonOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError) return error.reason;
    throw error;
  }
  return "no refusal";
}

describe("hold", () => {
  test("keeps the lines by SKU, their prices and what they come to", () => {
    expect(held).toMatchObject({
      state: "held",
      lines: [
        { sku: "mug", quantity: 2, unitPrice: { minorUnits: 1_250n } },
        { sku: "pen", quantity: 3, unitPrice: { minorUnits: 99n } },
      ],
      total: { currency: "EUR", minorUnits: 2_797n },
      expiresAt: end,
    });
  });

  test("refuses a product without a price", () => {
    const lines = [{ sku: "cup", quantity: 1 }];

    const reason = reasonOf(() => hold({ ...command, lines }, prices, start));

    expect(reason).toBe("UNKNOWN_SKU");
  });

  test("refuses two currencies", () => {
    const mixed = new Map(prices).set("pen", {
      currency: "JPY",
      minorUnits: 1n,
    });

    const reason = reasonOf(() => hold(command, mixed, start));

    expect(reason).toBe("MIXED_CURRENCIES");
  });

  test("adds up without loss beyond what a double can count", () => {
    const lines = [{ sku: "mug", quantity: 10_000 }];
    const dear = new Map([
      ["mug", { currency: "EUR", minorUnits: 9_007_199_254_740_993n }],
    ]);

    const { total } = hold({ ...command, lines }, dear, start);

    expect(total?.minorUnits).toBe(90_071_992_547_409_930_000n);
  });
});

describe("repeatOf", () => {
  test("answers the same request in any order of its lines", () => {
    const again = { ...command, lines: command.lines.toReversed() };

    expect(repeatOf(held, again)).toBe(held);
  });

  test.for([
    ["another order", { order: "orders/2" }],
    [
      "another quantity",
      {
        lines: [
          { sku: "pen", quantity: 4 },
          { sku: "mug", quantity: 2 },
        ],
      },
    ],
    ["a line less", { lines: [{ sku: "pen", quantity: 3 }] }],
    [
      "another product",
      {
        lines: [
          { sku: "pen", quantity: 3 },
          { sku: "cup", quantity: 2 },
        ],
      },
    ],
  ] as const)("refuses %s under the same id", ([, difference]) => {
    const reason = reasonOf(() =>
      repeatOf(held, { ...command, ...difference }),
    );

    expect(reason).toBe("RESERVATION_CONFLICT");
  });

  test("refuses what came too late for its release or its end", () => {
    const mark = releasedBeforeMade(command, start);
    const released = release(held, command.order, start);
    const expired = expire(held, end);

    const reasons = [mark, released, expired].map((existing) =>
      reasonOf(() => repeatOf(existing, command)),
    );

    expect(reasons).toEqual([
      "RESERVATION_RELEASED",
      "RESERVATION_RELEASED",
      "RESERVATION_EXPIRED",
    ]);
  });
});

describe("the end of a reservation", () => {
  test("comes at its time, not before", () => {
    expect(expire(held, justBefore)).toBe(held);
    expect(expire(held, end).state).toBe("expired");
  });

  test("can be confirmed until then, not from then on", () => {
    expect(confirm(held, justBefore).state).toBe("confirmed");
    expect(reasonOf(() => confirm(held, end))).toBe("RESERVATION_EXPIRED");
  });

  test("leaves a reservation that nobody swept to be released", () => {
    expect(release(held, command.order, end).state).toBe("released");
  });
});

type Move = "confirm" | "release" | "expire";

const moves: Record<Move, (from: Reservation, at: Date) => Reservation> = {
  confirm,
  release: (from, at) => release(from, command.order, at),
  expire,
};

test("settles at most once, whatever is tried in whatever order", () => {
  const tries = fc.array(
    fc.record({
      move: fc.constantFrom<Move>("confirm", "release", "expire"),
      afterMs: fc.integer({ min: 0, max: 2 * ttlMs }),
    }),
    { maxLength: 12 },
  );

  fc.assert(
    fc.property(tries, (steps) => {
      let current = held;
      let settled = 0;
      for (const { move, afterMs } of steps) {
        const at = new Date(start.getTime() + afterMs);
        const next = attempt(() => moves[move](current, at)) ?? current;
        if (next !== current) settled += 1;
        current = next;
      }
      expect(settled).toBeLessThanOrEqual(1);
      expect(current.state === "held").toBe(settled === 0);
    }),
  );
});

function attempt(act: () => Reservation): Reservation | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}
