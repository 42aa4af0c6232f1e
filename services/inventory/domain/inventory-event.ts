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
      readonly choreographed?: boolean;
      /** Of StockReserved. */
      readonly sealedPaymentToken?: Uint8Array;
    }
  | {
      readonly type: "StockRefused";
      readonly tenant: string;
      /** `orders/{order}` */
      readonly order: string;
      readonly reason: string;
      readonly message: string;
      readonly metadata: Readonly<Record<string, string>>;
      readonly isAuthorized: boolean;
      readonly at: Date;
    };
