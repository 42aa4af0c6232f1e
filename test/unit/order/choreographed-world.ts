import {
  cancelOnRequest,
  isStockLetGo,
} from "../../../services/order/domain/cancel-order.ts";
import {
  followed,
  type Fact,
} from "../../../services/order/domain/choreography.ts";
import {
  isSettled,
  place,
  type Order,
} from "../../../services/order/domain/order.ts";
import {
  paymentDeclined,
  refusedBy,
} from "../../../services/order/domain/order-failures.ts";
import {
  advance,
  nextStep,
  type Outcome,
  type Prices,
  type Step,
} from "../../../services/order/domain/saga.ts";

/** What the world of an order is like when it is placed. */
export interface Setting {
  readonly inStock: boolean;
  readonly declines: boolean;
  /** Whether its stock costs what its customer was shown. */
  readonly asShown: boolean;
}

/** One thing that happens; `at` picks one of what is under way. */
export interface Happening {
  readonly kind:
    | "deliver"
    /** The order's own service hears of it later than the others. */
    | "deliver to others"
    | "deliver again"
    | "lose"
    | "driver looks"
    | "driver's call is carried out"
    | "driver stores"
    | "driver dies"
    | "customer cancels"
    | "provider answers"
    | "reservation expires";
  readonly at: number;
}

type Stock = "none" | "held" | "confirmed" | "released" | "expired";
type Money = "none" | "asked" | "held" | "declined" | "captured" | "voided";

/** An event, on its way to one of its consumers. */
type Message =
  | {
      readonly to: "inventory";
      readonly tells: "placed" | "authorized" | "declined";
    }
  | { readonly to: "payment"; readonly tells: "reserved" | "confirmed" }
  | { readonly to: "order"; readonly fact: Fact };

interface Driver {
  before: Order;
  step: Step;
  outcome?: Outcome;
}

const total = { currency: "EUR", minorUnits: 1_000n };
const prices: Prices = { total, unitPrices: new Map([["mug", 1_000n]]) };
const refused = (reason: string): Outcome => ({
  kind: "refused",
  failure: refusedBy(reason, reason, {}),
});
const done: Outcome = { kind: "done" };

/**
 * One choreographed order between three services: what its own service decides is the real code; the other two do in
 * memory what theirs promise. Events are handed over in any order, once, twice or never, and drivers with stale orders
 * call in between.
 */
export function createChoreographedWorld(setting: Setting) {
  let order = place(
    {
      tenant: "acme",
      customer: "ada",
      lines: [{ sku: "mug", quantity: 1 }],
      expectedTotal: setting.asShown
        ? total
        : { currency: "EUR", minorUnits: 999n },
      paymentToken: "tok_visa",
      coordination: "choreographed",
    },
    { id: "0199a5a0-0000-7000-8000-000000000001", at: new Date(0) },
  );
  let stock: Stock = "none";
  let money: Money = "none";
  /** Whether its events are for others to act on. */
  let isByEvents = false;
  let isToVoid = false;
  let captures = 0;
  let now = 0;
  /** The cancellation that is stored has Inventory asked next, or its answer stored. */
  let cancelling: "release" | Outcome | undefined;
  const messages: Message[] = [{ to: "inventory", tells: "placed" }];
  const drivers: Driver[] = [];
  const clock = () => new Date((now += 10));

  const tellOrder = (fact: Fact) => void messages.push({ to: "order", fact });
  const refuse = (reason: string, isAuthorized: boolean) =>
    tellOrder({
      kind: "stock refused",
      failure: refusedBy(reason, reason, {}),
      isAuthorized,
    });

  const reserveByEvent = () => {
    if (stock === "released" || stock === "expired") {
      return refuse("RESERVATION_RELEASED", true);
    }
    if (!setting.asShown) {
      if (stock !== "none") return;
      stock = "released";
      return refuse("PRICE_CHANGED", false);
    }
    if (stock === "none" && !setting.inStock) {
      stock = "released";
      return refuse("OUT_OF_STOCK", false);
    }
    if (stock === "none") stock = "held";
    messages.push({ to: "payment", tells: "reserved" });
    tellOrder({ kind: "reserved", ...prices });
  };
  const confirmByEvent = () => {
    if (stock === "confirmed") return;
    if (stock !== "held") {
      stock = stock === "none" ? "released" : stock;
      return refuse("RESERVATION_EXPIRED", true);
    }
    stock = "confirmed";
    messages.push({ to: "payment", tells: "confirmed" });
    tellOrder({ kind: "confirmed", ...prices });
  };
  const releaseByEvent = () => {
    if (stock !== "held") return;
    stock = "released";
    tellOrder({ kind: "released" });
  };
  const capture = () => {
    if (money !== "held") return;
    money = "captured";
    captures += 1;
    if (isByEvents) tellOrder({ kind: "captured" });
  };
  const answerOfProvider = () => {
    if (money !== "asked") return;
    money = isToVoid ? "voided" : setting.declines ? "declined" : "held";
    if (!isByEvents || isToVoid) return;
    if (money === "declined") {
      messages.push({ to: "inventory", tells: "declined" });
      tellOrder({ kind: "declined", failure: paymentDeclined("no") });
    } else {
      messages.push({ to: "inventory", tells: "authorized" });
      tellOrder({ kind: "authorized" });
    }
  };

  const followAll = (fact: Fact): void => {
    order = followed(order, fact, clock()).at(-1) ?? order;
  };
  const hand = (message: Message): void => {
    if (message.to === "order") {
      followAll(message.fact);
    } else if (message.to === "payment") {
      if (message.tells === "confirmed") capture();
      else if (money === "none") {
        money = "asked";
        isByEvents = true;
      }
    } else if (message.tells === "placed") reserveByEvent();
    else if (message.tells === "authorized") confirmByEvent();
    else releaseByEvent();
  };

  const callOf = (step: Step): Outcome => {
    switch (step) {
      case "reserve":
        if (stock === "none" && !setting.inStock)
          return refused("OUT_OF_STOCK");
        if (stock === "none") stock = "held";
        return stock === "released" || stock === "expired"
          ? refused("RESERVATION_RELEASED")
          : { kind: "reserved", ...prices };
      case "authorize":
        if (money === "none") money = "asked";
        answerOfProvider();
        if (money === "declined") {
          return {
            kind: "refused",
            failure: paymentDeclined("no"),
            undo: ["release"],
          };
        }
        return money === "voided" ? refused("PAYMENT_VOIDED") : done;
      case "confirm":
        if (stock === "held") stock = "confirmed";
        return stock === "confirmed" ? done : refused("RESERVATION_EXPIRED");
      case "capture":
        capture();
        return money === "captured" ? done : refused("PAYMENT_NOT_AUTHORIZED");
      case "release":
        if (stock === "confirmed") return refused("RESERVATION_CONFIRMED");
        if (stock !== "expired") stock = "released";
        return done;
      case "void":
        if (money === "captured") return refused("PAYMENT_CAPTURED");
        isToVoid = true;
        if (money !== "declined") money = "voided";
        return done;
      default:
        throw new Error(`a choreographed order takes no ${step}`);
    }
  };
  const found = (): Fact[] => [
    ...(stock === "held" ? [{ kind: "reserved", ...prices } as const] : []),
    ...(stock === "confirmed"
      ? [{ kind: "confirmed", ...prices } as const]
      : []),
    ...(stock === "released" || stock === "expired"
      ? [{ kind: "released" } as const]
      : []),
    ...(money === "held" ? [{ kind: "authorized" } as const] : []),
    ...(money === "captured" ? [{ kind: "captured" } as const] : []),
    ...(money === "declined"
      ? [{ kind: "declined", failure: paymentDeclined("no") } as const]
      : []),
  ];

  /** A driver takes the order up: asks how it stands, and stores that. */
  const look = (asks: boolean): Driver | undefined => {
    if (asks) {
      for (const fact of found()) followAll(fact);
    }
    const step = nextStep(order);
    return step && { before: order, step };
  };
  const store = ({ before, outcome }: Driver): void => {
    if (!outcome) return;
    const next = advance(before, outcome, clock());
    if (order.version === before.version) order = next;
  };
  const cancel = () => {
    if (cancelling === undefined) {
      const can = order.state === "placed" || order.state === "reserved";
      if (!can) return;
      order = cancelOnRequest(order, "", clock());
      cancelling = "release";
    } else if (cancelling === "release") {
      cancelling = callOf("release");
    } else {
      const isOpen = order.state === "cancelling" && !isStockLetGo(order);
      if (isOpen && nextStep(order) === "release") {
        order = advance(order, cancelling, clock());
      }
      cancelling = undefined;
    }
  };
  const pick = <T>(from: readonly T[], at: number): number =>
    from.length === 0 ? -1 : at % from.length;

  const happen = ({ kind, at }: Happening): void => {
    const index = pick(messages, at);
    const message = messages[index];
    const driver = drivers[pick(drivers, at)];
    switch (kind) {
      case "deliver":
        if (message) {
          messages.splice(index, 1);
          hand(message);
        }
        return;
      case "deliver to others": {
        const next = messages.findIndex(({ to }) => to !== "order");
        const [ahead] = next < 0 ? [] : messages.splice(next, 1);
        if (ahead) hand(ahead);
        return answerOfProvider();
      }
      case "deliver again":
        if (message) hand(message);
        return;
      case "lose":
        messages.splice(Math.max(index, 0), 1);
        return;
      case "driver looks": {
        // Sometimes the others don't answer when they are asked how it stands.
        const taken = drivers.length < 2 ? look(at % 3 > 0) : undefined;
        if (taken) drivers.push(taken);
        return;
      }
      case "driver's call is carried out":
        if (driver) driver.outcome = callOf(driver.step);
        return;
      case "driver stores":
        if (driver?.outcome) {
          drivers.splice(drivers.indexOf(driver), 1);
          store(driver);
        }
        return;
      case "driver dies":
        if (driver) drivers.splice(drivers.indexOf(driver), 1);
        return;
      case "customer cancels":
        return cancel();
      case "provider answers":
        return answerOfProvider();
      case "reservation expires":
        if (stock === "held") stock = "expired";
    }
  };

  return {
    happen,
    /** The deadline comes, again and again: an order that is not settled is driven. Answers whether it came to its end. */
    finish(): boolean {
      cancelling = undefined;
      for (let steps = 0; steps < 40 && !isSettled(order); steps += 1) {
        // Now and then nobody answers when it asks how it stands.
        const driver = look(steps % 2 === 1);
        if (driver) store({ ...driver, outcome: callOf(driver.step) });
      }
      return isSettled(order);
    },
    /** What is still on its way arrives, long after. */
    drain(): void {
      for (let count = 0; messages.length > 0 && count < 100; count += 1) {
        happen({ kind: "deliver", at: count });
        answerOfProvider();
      }
      // A driver that slept calls late.
      for (const driver of drivers.splice(0)) {
        store({ ...driver, outcome: callOf(driver.step) });
      }
      answerOfProvider();
    },
    state: () => ({ order, stock, money, captures, messages: messages.length }),
  };
}
