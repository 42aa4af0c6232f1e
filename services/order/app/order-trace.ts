import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { Order } from "../domain/order.ts";

/** The trace at hand, as W3C Trace Context has it, for whoever drives an order later. */
export function traceparentNow(): string | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier["traceparent"];
}

/**
 * Runs `drive` in a span of the trace that the order was placed in. A driver that took the order up later gives the
 * stored `traceparent`; without one the trace at hand goes on.
 */
export function inOrderTrace(
  order: Order,
  traceparent: string | undefined,
  drive: () => Promise<Order>,
): Promise<Order> {
  const parent = traceparent
    ? propagation.extract(ROOT_CONTEXT, { traceparent })
    : context.active();
  const options = { kind: SpanKind.INTERNAL, attributes: { order: order.id } };
  return trace
    .getTracer("weft.order")
    .startActiveSpan("settle order", options, parent, async (span) => {
      try {
        const driven = await drive();
        span.setAttribute("order.state", driven.state);
        return driven;
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
}
