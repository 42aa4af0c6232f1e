import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Span,
} from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { expect, test } from "vitest";
import { createSpanBatches } from "../../../services/platform/runtime/span-batches.ts";
import { startCollector } from "./collector.ts";
import { decodeTraces } from "./decode-traces.ts";

async function setup() {
  const collector = await startCollector();
  const kept = new InMemorySpanExporter();
  const service = "order-under-test";
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    spanProcessors: [
      createSpanBatches({ url: collector.url, service }),
      new SimpleSpanProcessor({ exporter: kept }),
    ],
  });
  return {
    collector,
    provider,
    /** The same spans as the SDK's own serializer writes them. */
    expected: () =>
      decodeTraces([
        Buffer.from(
          ProtobufTraceSerializer.serializeRequest(kept.getFinishedSpans()) ??
            [],
        ),
      ]),
    received: () => decodeTraces(collector.traces),
    [Symbol.asyncDispose]: () => collector[Symbol.asyncDispose](),
  };
}

function spanOfEverything(provider: TracerProvider): Span {
  const remote = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
    isRemote: true,
  };
  const span = provider.getTracer("weft.rpc").startSpan(
    "weft.order.v1.OrderService/GetOrder",
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        text: "zwölf Boxkämpfer 🥊",
        empty: "",
        whole: 42,
        zero: 0,
        large: 2 ** 40,
        negative: -7.5,
        fraction: 0.1,
        yes: true,
        no: false,
        list: ["a", "b"],
        numbers: [1, 2.5],
      },
      links: [{ context: remote, attributes: { why: "batched" } }],
    },
    trace.setSpanContext(ROOT_CONTEXT, remote),
  );
  span.addEvent("exception", { "exception.message": "lost" });
  span.setStatus({ code: SpanStatusCode.ERROR, message: "it broke" });
  return span;
}

test("writes a span as OpenTelemetry's own exporter does", async () => {
  await using world = await setup();

  spanOfEverything(world.provider).end();
  world.provider.getTracer("weft.data").startSpan("transaction").end();
  await world.provider.forceFlush();

  expect(world.received()).toHaveLength(2);
  expect(world.received()).toEqual(world.expected());
});

test("sends every span of a burst, in batches", async () => {
  await using world = await setup();
  const tracer = world.provider.getTracer("weft.rpc");

  for (let made = 0; made < 2_000; made += 1) {
    tracer.startSpan(`span ${made}`).end();
  }
  await world.provider.forceFlush();

  expect(world.received()).toEqual(world.expected());
  expect(world.collector.traces.length).toBeLessThanOrEqual(4);
});

test("drops spans, and holds nobody up, while there is no collector", async () => {
  await using world = await setup();
  await world.collector[Symbol.asyncDispose]();
  const tracer = world.provider.getTracer("weft.rpc");

  for (let made = 0; made < 20_000; made += 1) {
    tracer.startSpan(`span ${made}`).end();
  }
  await world.provider.shutdown();

  expect(world.received()).toEqual([]);
});
