import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Order_State,
  type OrderSchema,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";

export const ORDER_NAME = "orders/01890a5d-ac96-774b-bcce-b302099a8050";

/** The claims that the edge forwards of a token, as the platform's servers read them. */
export const CLAIMS = Buffer.from(
  JSON.stringify({
    sub: "customer-17",
    tenant: "demo",
    scope: "orders:read orders:write",
  }),
).toString("base64url");

/** An order of two lines as it is stored when it is paid for, 290 bytes on the wire. */
export function sampleOrder(
  name: string,
): MessageInitShape<typeof OrderSchema> {
  const at = timestampFromDate(new Date(1_790_000_000_000));
  return {
    name,
    etag: "W/7",
    customer: "customer-17",
    lines: [
      {
        sku: "espresso-beans-1kg",
        quantity: 2,
        unitPrice: { currencyCode: "EUR", units: 18n, nanos: 900_000_000 },
      },
      {
        sku: "filter-paper-100",
        quantity: 1,
        unitPrice: { currencyCode: "EUR", units: 4n, nanos: 500_000_000 },
      },
    ],
    total: { currencyCode: "EUR", units: 42n, nanos: 300_000_000 },
    state: Order_State.COMPLETED,
    reservation: "reservations/01890a5d-ac96-774b-bcce-b302099a8051",
    payment: "payments/01890a5d-ac96-774b-bcce-b302099a8052",
    createTime: at,
    updateTime: at,
    settleTime: at,
  };
}
