import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Payment_State,
  type PaymentSchema,
} from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import { moneyToProto } from "../../platform/rpc/money.ts";
import type { Payment } from "../domain/payment.ts";

/** A payment as the contract shows it. */
export function paymentToProto(
  payment: Payment,
): MessageInitShape<typeof PaymentSchema> {
  const { amount, captured, refunded } = payment;
  return {
    name: `payments/${payment.id}`,
    order: `orders/${payment.orderId}`,
    ...(amount && {
      amount: moneyToProto(amount),
      capturedAmount: moneyToProto({ ...amount, minorUnits: captured }),
      refundedAmount: moneyToProto({ ...amount, minorUnits: refunded }),
    }),
    state: states[payment.state],
    declineCode: payment.declineCode ?? "",
    providerReference: payment.providerReference ?? "",
    // Quoted, as HTTP has it (RFC 9110, AIP-154).
    etag: `"${payment.version}"`,
    createTime: timestampFromDate(payment.createdAt),
    updateTime: timestampFromDate(payment.updatedAt),
  };
}

const states = {
  AUTHORIZING: Payment_State.AUTHORIZING,
  UNKNOWN: Payment_State.UNKNOWN,
  AUTHORIZED: Payment_State.AUTHORIZED,
  DECLINED: Payment_State.DECLINED,
  CAPTURED: Payment_State.CAPTURED,
  VOIDED: Payment_State.VOIDED,
  REFUNDED: Payment_State.REFUNDED,
} as const;
