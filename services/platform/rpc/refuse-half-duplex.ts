import { Code, type HandlerContext } from "@connectrpc/connect";
import { statusError } from "./status.ts";

/** The HTTP version that a client speaks with the edge, as the edge says: between the edge and here it is always 2. */
export const httpVersionHeader = "x-weft-http-version";

/**
 * Refuses a bidirectional stream that came to the edge over HTTP/1.1: requests and answers can't flow at the same time
 * there, so the call would stand still once a buffer is full, and end at its deadline without a word.
 *
 * @throws ConnectError UNIMPLEMENTED with HTTP2_REQUIRED.
 */
export function refuseHalfDuplex(context: HandlerContext): void {
  const version = context.requestHeader.get(httpVersionHeader);
  if (
    context.method.methodKind === "bidi_streaming" &&
    version?.startsWith("HTTP/1")
  ) {
    throw statusError({
      code: Code.Unimplemented,
      reason: "HTTP2_REQUIRED",
      message: `${context.method.name} streams both ways, which needs HTTP/2: use gRPC, or Connect over HTTP/2`,
    });
  }
}
