import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createDatabase } from "../../../services/platform/data/database.ts";
import { newEvent } from "../../../services/platform/events/cloud-event.ts";
import { startConsumer } from "../../../services/platform/events/consumer.ts";
import { on } from "../../../services/platform/events/event-handler.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { startRelay } from "../../../services/platform/events/relay.ts";
import { setupDatabase } from "../../support/database.ts";
import { setupEventBus } from "../../support/event-bus.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";

beforeEach(() => {
  context.setGlobalContextManager(
    new AsyncLocalStorageContextManager().enable(),
  );
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});

afterEach(() => {
  trace.disable();
  context.disable();
  propagation.disable();
});

it("continues the trace of the change through the outbox and Kafka into the consumer's effect", async () => {
  await using stack = new AsyncDisposableStack();
  const exporter = recordSpans();
  const { url } = stack.use(await setupDatabase({ service: "events" }));
  const db = stack.use(
    createDatabase({
      url,
      applicationName: "trace test",
      acquireTimeoutMs: 20_000,
      logger: silentLogger,
    }),
  );
  const bus = stack.use(setupEventBus());
  const relay = stack.use(
    startRelay({ db, bus, logger: silentLogger, source: "/weft/test" }),
  );
  const outbox = createOutbox(relay);
  const seen: (string | undefined)[] = [];
  stack.use(
    startConsumer({
      db,
      bus,
      logger: silentLogger,
      group: "test",
      handlers: [
        on(StringValueSchema, () => {
          seen.push(trace.getActiveSpan()?.spanContext().traceId);
          return Promise.resolve();
        }),
      ],
    }),
  );

  const root = await trace
    .getTracer("test")
    .startActiveSpan("place order", async (span) => {
      await db.transaction((tx) =>
        outbox.add(
          tx,
          newEvent(
            StringValueSchema,
            create(StringValueSchema, { value: "x" }),
            {
              aggregateId: "a",
              tenant: "acme",
              occurredAt: new Date(),
            },
          ),
        ),
      );
      span.end();
      return span.spanContext();
    });

  const ofTrace = () =>
    exporter
      .getFinishedSpans()
      .filter((span) => span.spanContext().traceId === root.traceId);
  await eventually("the consumer's span ends", () =>
    ofTrace().some(({ kind }) => kind === SpanKind.CONSUMER),
  );
  const byKind = (kind: SpanKind) =>
    ofTrace().find((span) => span.kind === kind);
  const change = ofTrace().find(
    ({ name, parentSpanContext }) =>
      name === "postgres transaction" &&
      parentSpanContext?.spanId === root.spanId,
  );
  const producer = byKind(SpanKind.PRODUCER);
  const consumer = byKind(SpanKind.CONSUMER);
  expect(producer?.parentSpanContext?.spanId).toBe(
    change?.spanContext().spanId,
  );
  expect(consumer?.parentSpanContext?.spanId).toBe(
    producer?.spanContext().spanId,
  );
  expect(consumer?.attributes).toMatchObject({
    "messaging.destination.name": "google.protobuf",
    "weft.event.outcome": "handled",
  });
  expect(seen).toEqual([root.traceId]);
});

function recordSpans(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new TracerProvider({
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    }),
  );
  return exporter;
}
