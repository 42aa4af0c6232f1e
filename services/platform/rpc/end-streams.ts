import type { DescService } from "@bufbuild/protobuf";
import {
  Code,
  type ConnectError,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { statusError } from "./status.ts";

/**
 * Ends the open streams of a connect-node server when `draining` aborts. Its own `shutdownSignal` would end the unary
 * calls under way, too, which are to be finished.
 */
export function endStreams<Desc extends DescService>(
  service: Desc,
  implementation: ServiceImpl<Desc>,
  draining: AbortSignal,
): ServiceImpl<Desc> {
  const stopped = new AbortController();
  draining.addEventListener("abort", () => stopped.abort(drained()), {
    once: true,
  });
  const ending: Record<string, unknown> = {};
  for (const method of service.methods) {
    if (method.methodKind !== "unary") {
      // ServiceImpl maps a method's local name to its implementation; the loop loses which one.
      const handler = (implementation as Record<string, unknown>)[
        method.localName
      ] as AnyStream;
      ending[method.localName] = endStream(handler, stopped.signal);
    }
  }
  return { ...implementation, ...ending };
}

/** The status of a stream that ends because its server does. */
export function drained(): ConnectError {
  return statusError({
    code: Code.Unavailable,
    reason: "DRAINING",
    message: "the service is being stopped; open the stream again",
    retryAfterMs: 1_000,
  });
}

/** What the three kinds of streams share: one request or many of them first, the context second. */
type AnyStream = (requests: unknown, context: HandlerContext) => unknown;

function endStream(handler: AnyStream, stopped: AbortSignal): AnyStream {
  return (requests, context) =>
    handler(requests, {
      ...context,
      signal: AbortSignal.any([context.signal, stopped]),
    });
}
