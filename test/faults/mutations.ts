import type { Mutation } from "./mutation.ts";
import { EVENTS } from "./mutations/events.ts";
import { ORDERS } from "./mutations/orders.ts";
import { STOCK_AND_MONEY } from "./mutations/stock-and-money.ts";
import { TWO_PHASE_COMMIT } from "./mutations/two-phase-commit.ts";

/** Known holes of sagas, outboxes and payments, each made in the way it is usually made. */
export const MUTATIONS: readonly Mutation[] = [
  ...EVENTS,
  ...ORDERS,
  ...STOCK_AND_MONEY,
  ...TWO_PHASE_COMMIT,
];
