import type { Product } from "./product.ts";
import type { Reservation } from "./reservation.ts";

/** What the service announces: one event for each change, with the state after it. */
export type InventoryEvent =
  | { readonly type: "ProductCreated"; readonly product: Product }
  | {
      readonly type: "StockAdjusted";
      readonly product: Product;
      readonly delta: bigint;
      readonly reason: string;
    }
  | {
      readonly type:
        | "StockReserved"
        | "StockConfirmed"
        | "StockReleased"
        | "ReservationExpired";
      readonly reservation: Reservation;
    };
