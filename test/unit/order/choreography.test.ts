import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  followed,
  type Fact,
} from "../../../services/order/domain/choreography.ts";
import { place } from "../../../services/order/domain/order.ts";
import {
  createChoreographedWorld,
  type Happening,
  type Setting,
} from "./choreographed-world.ts";

const setting: fc.Arbitrary<Setting> = fc.record({
  inStock: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
  declines: fc.oneof(
    { weight: 4, arbitrary: fc.constant(false) },
    fc.boolean(),
  ),
  asShown: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
});

const happening: fc.Arbitrary<Happening> = fc.record({
  // Events mostly arrive: otherwise few orders get far by them.
  kind: fc.oneof(
    {
      weight: 9,
      arbitrary: fc.constantFrom<Happening["kind"]>(
        "deliver",
        "deliver to others",
        "provider answers",
      ),
    },
    {
      weight: 7,
      arbitrary: fc.constantFrom<Happening["kind"]>(
        "deliver again",
        "lose",
        "driver looks",
        "driver's call is carried out",
        "driver stores",
        "driver dies",
        "customer cancels",
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constant<Happening["kind"]>("reservation expires"),
    },
  ),
  at: fc.nat({ max: 11 }),
});

describe("the news that its payment is captured", () => {
  const prices = {
    total: { currency: "EUR", minorUnits: 1_000n },
    unitPrices: new Map([["mug", 1_000n]]),
  };

  test.each<[string, readonly Fact[], readonly string[]]>([
    [
      "takes an order that was only reserved through CONFIRMED to COMPLETED",
      [{ kind: "reserved", ...prices }],
      ["confirmed", "completed"],
    ],
    ["takes one without prices to CONFIRMED", [], ["confirmed"]],
  ])("%s", (_, before, states) => {
    const at = new Date(0);
    const placed = place(
      {
        tenant: "acme",
        customer: "ada",
        lines: [{ sku: "mug", quantity: 1 }],
        expectedTotal: undefined,
        paymentToken: "tok_visa",
        coordination: "choreographed",
      },
      { id: "0199a5a0-0000-7000-8000-000000000001", at },
    );
    const order = before.reduce(
      (current, fact) => followed(current, fact, at).at(-1) ?? current,
      placed,
    );

    const versions = followed(order, { kind: "captured" }, at);

    expect(versions.map(({ state }) => state)).toEqual(states);
    expect(versions.map(({ version }) => version)).toEqual(
      states.map((_state, index) => order.version + BigInt(index + 1)),
    );
  });
});

describe("a choreographed order whose events are lost, repeated and reordered", () => {
  test("ends, is never charged without its stock, and leaves nothing held", () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(
        setting,
        fc.array(happening, { maxLength: 30 }),
        (world, happenings) => {
          const run = createChoreographedWorld(world);
          for (const each of happenings) {
            run.happen(each);
            const { stock, money } = run.state();
            if (money === "captured") expect(stock).toBe("confirmed");
          }
          expect(run.finish()).toBe(true);
          run.drain();

          const { order, stock, money, captures } = run.state();
          ends.add(order.state);
          if (order.state === "completed") {
            expect([stock, money, captures]).toEqual([
              "confirmed",
              "captured",
              1,
            ]);
            expect(order).toMatchObject({
              total: { minorUnits: 1_000n },
              failure: undefined,
              undo: [],
              lines: [{ unitPrice: 1_000n }],
            });
            expect(world.asShown).toBe(true);
          } else {
            expect(["none", "released", "expired"]).toContain(stock);
            expect(["none", "declined", "voided"]).toContain(money);
            expect(captures).toBe(0);
          }
          expect(order.paymentToken).toBeUndefined();
        },
      ),
      { numRuns: 20_000 },
    );
    expect([...ends].toSorted()).toEqual([
      "cancelled",
      "completed",
      "rejected",
    ]);
  }, 60_000);
});
