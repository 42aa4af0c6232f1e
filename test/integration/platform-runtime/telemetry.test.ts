import { metrics } from "@opentelemetry/api";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startTelemetry } from "../../../services/platform/runtime/telemetry.ts";
import { asUser, orderName, setupRpc } from "../platform-rpc/rpc-world.ts";

test("spans and metrics of each call reach an OTLP collector, and the process's own", async () => {
  await using collector = await startCollector();
  const url = `http://127.0.0.1:${collector.port}`;
  const stop = startTelemetry({
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

async function startCollector() {
  const traces: Buffer[] = [];
  const measured: Buffer[] = [];
  const server = new Server();
  const keep = (service: string, into: Buffer[]) => {
    const bytes = (message: Buffer) => message;
    const Export = {
      path: `/opentelemetry.proto.collector.${service}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    } as const;
    type Done = (error: null, response: Buffer) => void;
    server.addService(
      { Export },
      {
        Export(call: { request: Buffer }, done: Done) {
          into.push(call.request);
          done(null, Buffer.alloc(0));
        },
      },
    );
  };
  keep("trace.v1.TraceService", traces);
  keep("metrics.v1.MetricsService", measured);
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
  return {
    port,
    traces,
    metrics: measured,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}
