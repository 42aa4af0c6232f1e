import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import * as app from "../app/receive-provider-event.ts";

export function receiveProviderEvent(
  deps: app.ReceiveProviderEventDeps,
): ServiceImpl<typeof PaymentService>["receiveProviderEvent"] {
  return async (request, context) => {
    await app.receiveProviderEvent(deps, {
      signature: context.requestHeader.get("stripe-signature") ?? undefined,
      body: request.body?.data ?? new Uint8Array(),
    });
    return {};
  };
}
