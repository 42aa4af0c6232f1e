import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentDeclinedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
} from "../../../gen/ts/weft/payment/v1/payment_events_pb.ts";
import type { PaymentSchema } from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import type { Money as MoneyMessage } from "../../../gen/ts/google/type/money_pb.ts";
import { newEvent, type NewEvent } from "../../platform/events/cloud-event.ts";
import type { Outbox } from "../../platform/events/outbox.ts";
import type { Announce, AnnounceTogether } from "../app/announce.ts";
import type { Money } from "../domain/money.ts";
import type { Payment } from "../domain/payment.ts";
import type { PaymentChange } from "../domain/payment-change.ts";

/** How the contract shows what an event tells of: the same as in an answer of the service. */
export interface Shapes {
  payment(payment: Payment): MessageInitShape<typeof PaymentSchema>;
  money(money: Money): MoneyMessage;
}

/** Announces changes as the contract's events, through the outbox. */
export function announceThrough(outbox: Outbox, shapes: Shapes): Announce {
  return async (tx, payment, change) => {
    const event = toNewEvent(payment, change, shapes);
    if (event !== undefined) await outbox.add(tx, event);
  };
}

/** As {@link announceThrough}, for batches. */
export function announceTogetherThrough(
  outbox: Outbox,
  shapes: Shapes,
): AnnounceTogether {
  return {
    row(payment, change, cause) {
      const event = toNewEvent(payment, change, shapes);
      return event && outbox.row(event, cause);
    },
    wake: () => outbox.wake(),
  };
}

function toNewEvent(
  payment: Payment,
  change: PaymentChange,
  shapes: Shapes,
): NewEvent | undefined {
  // Keyed by the order, so that all that happens to one order stays in order.
  const attributes = {
    aggregateId: payment.orderId,
    tenant: payment.tenant,
    occurredAt: payment.updatedAt,
  };
  const message = { payment: shapes.payment(payment) };
  const { choreographed } = payment;
  switch (change.type) {
    case "authorized":
    case "declined":
    case "captured": {
      const schema = schemas[change.type];
      const event = create(schema, { ...message, choreographed });
      return newEvent(schema, event, attributes);
    }
    case "voided":
      return newEvent(
        PaymentVoidedSchema,
        create(PaymentVoidedSchema, message),
        attributes,
      );
    case "refunded": {
      const currency = payment.amount?.currency ?? "";
      const refund = {
        ...message,
        refundId: change.refundId,
        amount: shapes.money({ currency, minorUnits: change.amount }),
      };
      return newEvent(
        PaymentRefundedSchema,
        create(PaymentRefundedSchema, refund),
        attributes,
      );
    }
    case "asked":
    case "unanswered":
    case "capture-requested":
    case "void-requested":
    case "refund-requested":
    case "late-hold-found":
    case "request-closed":
      return undefined;
  }
}

const schemas = {
  authorized: PaymentAuthorizedSchema,
  declined: PaymentDeclinedSchema,
  captured: PaymentCapturedSchema,
} as const;
