import type { Outcome, Step } from "../../../services/order/domain/saga.ts";

type Stock = "none" | "held" | "sold" | "released";
type Payment = "none" | "held" | "captured" | "voided" | "declined";

/** What the two participants of one order have done. */
export interface Account {
  stock: Stock;
  payment: Payment;
}

/**
 * Inventory and Payment as the saga sees them, in memory: repeated calls do nothing more, and giving back what was never
 * taken leaves a mark that bars it from being taken late.
 */
export function createToyParticipants(total = 2_500n) {
  const accounts = new Map<string, Account>();
  const accountOf = (order: string): Account => {
    const account = accounts.get(order) ?? { stock: "none", payment: "none" };
    accounts.set(order, account);
    return account;
  };
  const priced: Outcome = {
    kind: "reserved",
    total: { currency: "EUR", minorUnits: total },
    unitPrices: new Map([["mug", total]]),
  };
  return {
    accountOf,
    take(step: Step, order: string): Outcome {
      const account = accountOf(order);
      switch (step) {
        case "reserve":
          if (account.stock === "none") account.stock = "held";
          return account.stock === "released"
            ? refused("RESERVATION_RELEASED")
            : priced;
        case "confirm":
          if (account.stock === "held") account.stock = "sold";
          return account.stock === "sold"
            ? done
            : refused("RESERVATION_EXPIRED");
        case "release":
          if (account.stock === "sold") return refused("RESERVATION_CONFIRMED");
          account.stock = "released";
          return done;
        case "authorize":
          if (account.payment === "none") account.payment = "held";
          if (account.payment === "declined") return declined;
          return account.payment === "voided"
            ? refused("PAYMENT_NOT_AUTHORIZED")
            : done;
        case "capture":
          if (account.payment === "held") account.payment = "captured";
          return account.payment === "captured"
            ? done
            : refused("PAYMENT_NOT_AUTHORIZED");
        case "void":
          if (account.payment === "captured") return refused("CAPTURED");
          if (account.payment !== "declined") account.payment = "voided";
          return done;
        case "prepare":
        case "commit":
        case "rollback":
          throw new Error("no step of a saga");
      }
    },
    /** The participant says no, as it may: for a reason of its own, and only to what it has not agreed to before. */
    refuse(step: Step, order: string): Outcome {
      const account = accountOf(order);
      if (step === "reserve" && account.stock === "none") {
        return refused("OUT_OF_STOCK");
      }
      if (step === "authorize" && account.payment === "none") {
        account.payment = "declined";
      }
      if (step === "confirm" && account.stock === "held") {
        account.stock = "released";
      }
      return this.take(step, order);
    },
  };
}

export const done: Outcome = { kind: "done" };

/** A payment that was declined holds nothing. */
export const declined: Outcome = {
  ...refused("PAYMENT_DECLINED"),
  undo: ["release"],
};

export function refused(reason: string): Extract<Outcome, { kind: "refused" }> {
  return { kind: "refused", failure: { reason, message: "no", metadata: {} } };
}
