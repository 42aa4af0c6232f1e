import { Code } from "@connectrpc/connect";
import type { Span } from "./trace-tree.ts";

/** A span in a few words: its service, what it does, and what went wrong. */
export function describeSpan(span: Span): string {
  const words = [span.service, "·", operationOf(span), faultOf(span)];
  return words.filter((word) => word !== "").join(" ");
}

function operationOf({ operation, tags }: Span): string {
  const event = lastName(tags["cloudevents.event_type"] ?? "message");
  switch (tags["span.kind"]) {
    case "producer":
      return `to Kafka: ${event}`;
    case "consumer":
      return `from Kafka: ${event}`;
    default:
      return tags["rpc.service"] === undefined
        ? operation
        : lastName(operation);
  }
}

function faultOf({ tags }: Span): string {
  const code = Number(
    tags["rpc.grpc.status_code"] ?? tags["grpc.status_code"] ?? 0,
  );
  if (code !== 0) return `✗ ${Code[code] ?? `status ${code}`}`;
  return tags["error"] === "true" ? "✗ failed" : "";
}

/** `weft.order.v1.OrderPlaced` is `OrderPlaced`, `weft.order.v1.OrderService/GetOrder` is `OrderService/GetOrder`. */
function lastName(fullName: string): string {
  return fullName.slice(fullName.lastIndexOf(".") + 1);
}
