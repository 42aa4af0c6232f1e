import type { HandlerContext } from "@connectrpc/connect";
import { namedRequestOf } from "../../platform/rpc/named-request.ts";
import type { Answered } from "../app/answered.ts";
import { productToProto } from "./product-to-proto.ts";

/** How the answer to a request is stored, where its caller named it. */
export function answeredBy(context: HandlerContext): Answered | undefined {
  const named = namedRequestOf(context);
  return (
    named &&
    ((tx, product) => named.answer(tx, { product: productToProto(product) }))
  );
}
