import { createClient, type Transport } from "@connectrpc/connect";
import {
  Payment_State as State,
  type Payment,
} from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { actFor } from "../../platform/rpc/act-for.ts";
import { moneyToProto } from "../../platform/rpc/money.ts";
import type { Fact } from "../domain/choreography.ts";
import { paymentDeclined } from "../domain/order-failures.ts";
import { orderName, paymentName, type Order } from "../domain/order.ts";
import type { Outcome } from "../domain/saga.ts";
import { outcomeOfError } from "./participant-outcome.ts";

/** The steps of an order that Payment takes. A payment has its order's id. */
export interface PaymentClient {
  authorize(order: Order): Promise<Outcome>;
  capture(order: Order): Promise<Outcome>;
  void(order: Order): Promise<Outcome>;
  /** What Payment knows of a choreographed order; nothing where it does not answer. */
  find(order: Order): Promise<Fact[]>;
}

export function paymentClient(transport: Transport): PaymentClient {
  const client = createClient(PaymentService, transport);
  return {
    async find(order) {
      try {
        const { payment } = await client.getPayment(
          { name: paymentName(order.id) },
          identityOf(order),
        );
        return factsOf(payment);
      } catch {
        // Not made yet, or nobody there: the calls that follow tell.
        return [];
      }
    },
    async authorize(order) {
      if (!order.total || order.paymentToken === undefined) {
        throw new Error(`order ${order.id} has nothing to authorize`);
      }
      try {
        const { payment } = await client.authorize(
          {
            paymentId: order.id,
            order: orderName(order.id),
            amount: moneyToProto(order.total),
            paymentToken: order.paymentToken,
          },
          identityOf(order),
        );
        return authorized(payment);
      } catch (error) {
        return outcomeOfError(error);
      }
    },
    async capture(order) {
      try {
        await client.capture(
          { name: paymentName(order.id) },
          identityOf(order),
        );
        return { kind: "done" };
      } catch (error) {
        return outcomeOfError(error);
      }
    },
    async void(order) {
      try {
        await client.void(
          { name: paymentName(order.id), order: orderName(order.id) },
          identityOf(order),
        );
        return { kind: "done" };
      } catch (error) {
        return outcomeOfError(error);
      }
    },
  };
}

function factsOf(payment: Payment | undefined): Fact[] {
  switch (payment?.state) {
    case State.AUTHORIZED:
      return [{ kind: "authorized" }];
    case State.CAPTURED:
      return [{ kind: "captured" }];
    case State.DECLINED:
      return [
        { kind: "declined", failure: paymentDeclined(payment.declineCode) },
      ];
    default:
      return [];
  }
}

function authorized(payment: Payment | undefined): Outcome {
  switch (payment?.state) {
    case State.AUTHORIZED:
      return { kind: "done" };
    case State.DECLINED:
      return {
        kind: "refused",
        failure: paymentDeclined(payment.declineCode),
        // A declined payment holds nothing.
        undo: ["release"],
      };
    default:
      return { kind: "unanswered" };
  }
}

function identityOf(order: Order) {
  return actFor({ tenant: order.tenant, subject: order.customer });
}
