import { expect, it } from "vitest";
import {
  FAULTS,
  MODES,
  MORE_FAULTS,
  planScenario,
} from "../../faults/scenario.ts";

it("is the same plan for the same seed, and another for another", () => {
  expect(planScenario(7)).toEqual(planScenario(7));
  expect(planScenario(7).orders).not.toEqual(planScenario(8).orders);
});

it("brings every fault and every kind of card within some seeds", () => {
  const plans = Array.from({ length: 150 }, (_, seed) =>
    planScenario(seed + 1),
  );

  const faults = new Set(
    plans.flatMap((plan) => plan.faults.map(({ fault }) => fault)),
  );
  const tokens = new Set(
    plans.flatMap((plan) => plan.orders.map(({ token }) => token)),
  );

  expect([...faults].toSorted()).toEqual(
    [...FAULTS, ...MORE_FAULTS].toSorted(),
  );
  expect(tokens.size).toBe(8);
});

it("orders something in each order, and never more than the contract allows", () => {
  for (const { orders } of [planScenario(1), planScenario(2)]) {
    for (const { quantities } of orders) {
      const units = quantities.reduce((sum, each) => sum + each, 0);
      expect(units).toBeGreaterThan(0);
      expect(units).toBeLessThanOrEqual(6);
    }
  }
});

it("mixes the modes, and with one of them changes nothing else", () => {
  const mixed = planScenario(5);
  const alone = planScenario(5, "two-phase");

  expect(new Set(mixed.orders.map(({ mode }) => mode))).toEqual(new Set(MODES));
  expect(alone).toEqual({
    ...mixed,
    orders: mixed.orders.map((order) => ({ ...order, mode: "two-phase" })),
  });
});
