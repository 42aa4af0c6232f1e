import { createBatcher, type Batcher } from "../../platform/data/batcher.ts";
import type { Database } from "../../platform/data/database.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  insertOrdersTogether,
  type NewOrder,
} from "../store/insert-together.ts";
import {
  updateOrdersTogether,
  type NextOrder,
} from "../store/update-together.ts";

/** An order that waits to be stored, and how it is stored in a transaction of its own. */
export type Waiting<Item> = Item & { readonly alone: () => Promise<boolean> };

/** How orders are stored, those that come at the same time by one statement. */
export interface OrderBatches {
  /** The names of requests whose orders are being placed or driven here: one of the same name needs no driver. */
  readonly names: Set<string>;
  /** False where the request has placed an order before. */
  readonly insert: Batcher<Waiting<NewOrder>, boolean>;
  /** False where another version was stored in the meantime. */
  readonly update: Batcher<Waiting<NextOrder>, boolean>;
}

export function createOrderBatches(deps: {
  readonly db: Database;
  readonly logger: Logger;
  /** Wakes whoever waits for events and changes. */
  readonly wake: () => void;
}): OrderBatches {
  return {
    names: new Set(),
    insert: createBatcher({
      name: "insert order",
      logger: deps.logger,
      async together(items: readonly Waiting<NewOrder>[]) {
        const stored = await insertOrdersTogether(deps.db, items);
        deps.wake();
        // Why one was left out it learns alone.
        return items.map((_, n) => (stored.has(n) ? true : undefined));
      },
      alone: ({ alone }) => alone(),
    }),
    update: createBatcher({
      name: "update order",
      logger: deps.logger,
      keyOf: ({ order }: Waiting<NextOrder>) => order.id,
      async together(items) {
        const stored = await updateOrdersTogether(deps.db, items);
        deps.wake();
        return items.map((_, n) => stored.has(n));
      },
      alone: ({ alone }) => alone(),
    }),
  };
}
