import { request } from "node:https";
import { text } from "node:stream/consumers";
import { fromJsonString } from "@bufbuild/protobuf";
import {
  OrderSchema,
  type Order,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import type { DemoOrder } from "./demo-orders.ts";
import type { EdgeAccess } from "./edge-clients.ts";

/** `POST /v1/orders?wait=true`, by Node's own HTTPS client. Throws with the status and the body of a refusal. */
export async function placeOverRest(
  edge: EdgeAccess,
  order: DemoOrder,
  requestId: string,
  call: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Order> {
  const url = new URL("/v1/orders", edge.url);
  url.searchParams.set("wait", "true");
  url.searchParams.set("request_id", requestId);
  const body = JSON.stringify({
    lines: order.lines,
    payment_token: order.paymentToken,
  });
  const signal = AbortSignal.any([
    call.signal,
    AbortSignal.timeout(call.timeoutMs),
  ]);
  const { status, answer } = await post(url, body, edge, signal);
  if (status !== 200) throw new Error(`${url.pathname}: ${status} ${answer}`);
  return fromJsonString(OrderSchema, answer, { ignoreUnknownFields: true });
}

function post(
  url: URL,
  body: string,
  { ca, token }: EdgeAccess,
  signal: AbortSignal,
): Promise<{ status: number | undefined; answer: string }> {
  const headers = {
    "content-type": "application/json",
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  return new Promise((resolve, reject) => {
    // One order, one connection: an agent's idle one would outlive the demo.
    const options = { method: "POST", ca, headers, signal, agent: false };
    const sent = request(url, options, (response) => {
      text(response).then(
        (answer) => resolve({ status: response.statusCode, answer }),
        reject,
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
