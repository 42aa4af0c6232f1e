import { createClient, type Transport } from "@connectrpc/connect";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import {
  Reservation_State as State,
  type Reservation,
} from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import { actFor } from "../../platform/rpc/act-for.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { orderName, reservationName, type Order } from "../domain/order.ts";
import type { Fact } from "../domain/choreography.ts";
import type { Outcome, Prices } from "../domain/saga.ts";
import { outcomeOfError } from "./participant-outcome.ts";

/** The steps of an order that Inventory takes. A reservation has its order's id. */
export interface InventoryClient {
  reserve(order: Order): Promise<Outcome>;
  confirm(order: Order): Promise<Outcome>;
  release(order: Order): Promise<Outcome>;
  /** What Inventory knows of a choreographed order; nothing where it does not answer. */
  find(order: Order): Promise<Fact[]>;
}

export function inventoryClient(transport: Transport): InventoryClient {
  const client = createClient(InventoryService, transport);
  return {
    async find(order) {
      try {
        const { reservation } = await client.getReservation(
          { name: reservationName(order.id) },
          identityOf(order),
        );
        return reservation ? factsOf(reservation) : [];
      } catch {
        // Not made yet, or nobody there: the calls that follow tell.
        return [];
      }
    },
    async reserve(order) {
      try {
        const { reservation } = await client.reserve(
          {
            reservationId: order.id,
            order: orderName(order.id),
            lines: order.lines.map(({ sku, quantity }) => ({ sku, quantity })),
          },
          identityOf(order),
        );
        return reservation ? priced(reservation) : { kind: "unanswered" };
      } catch (error) {
        return outcomeOfError(error);
      }
    },
    async confirm(order) {
      try {
        await client.confirm(
          { name: reservationName(order.id) },
          identityOf(order),
        );
        return { kind: "done" };
      } catch (error) {
        return outcomeOfError(error);
      }
    },
    async release(order) {
      try {
        await client.release(
          { name: reservationName(order.id), order: orderName(order.id) },
          identityOf(order),
        );
        return { kind: "done" };
      } catch (error) {
        return outcomeOfError(error);
      }
    },
  };
}

function factsOf(reservation: Reservation): Fact[] {
  switch (reservation.state) {
    case State.HELD:
      return [{ kind: "reserved", ...pricesOf(reservation) }];
    case State.CONFIRMED:
      return [{ kind: "confirmed", ...pricesOf(reservation) }];
    case State.RELEASED:
    case State.EXPIRED:
      return [{ kind: "released" }];
    default:
      return [];
  }
}

function priced(reservation: Reservation): Outcome {
  return { kind: "reserved", ...pricesOf(reservation) };
}

function pricesOf(reservation: Reservation): Prices {
  return {
    total: moneyFromProto(reservation.total),
    unitPrices: new Map(
      reservation.lines.map((line) => [
        line.sku,
        moneyFromProto(line.unitPrice).minorUnits,
      ]),
    ),
  };
}

function identityOf(order: Order) {
  return actFor({ tenant: order.tenant, subject: order.customer });
}
