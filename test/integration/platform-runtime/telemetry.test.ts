import { metrics } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { startTelemetry } from "../../../services/platform/runtime/telemetry.ts";
import { startCollector } from "./collector.ts";
import { asUser, orderName, setupRpc } from "../platform-rpc/rpc-world.ts";

test("spans and metrics of each call reach an OTLP collector, and the process's own", async () => {
  await using collector = await startCollector();
  const { url } = collector;
  const stop = await startTelemetry({
    service: "order-under-test",
    tracesEndpoint: url,
    metricsEndpoint: url,
  });
  await using world = await setupRpc({
    getOrder: (request) => ({ order: { name: request.name } }),
  });

  await world.orders("gRPC").getOrder({ name: orderName }, asUser);
  await stop();

  const traces = Buffer.concat(collector.traces).toString("latin1");
  expect(traces).toContain("order-under-test");
  expect(traces).toContain("weft.order.v1.OrderService/GetOrder");
  expect(traces).toContain("rpc.grpc.status_code");
  const measured = Buffer.concat(collector.metrics).toString("latin1");
  for (const name of [
    "rpc.server.duration",
    "rpc.client.duration",
    "rpc.grpc.status_code",
    "weft.breaker.state",
    "nodejs.eventloop.delay.p99",
    "nodejs.eventloop.utilization",
    "process.memory.usage",
  ]) {
    expect(measured).toContain(name);
  }
  metrics.disable();
});
