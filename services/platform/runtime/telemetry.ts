import { metrics, type Meter } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { startNodeSdk } from "@opentelemetry/sdk-node";
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";

/** Where a process's telemetry goes: OTLP over gRPC. A signal without an endpoint is not recorded at all. */
export interface TelemetryOptions {
  readonly service: string;
  readonly tracesEndpoint: string | undefined;
  readonly metricsEndpoint: string | undefined;
}

/**
 * Starts OpenTelemetry in this process. Spans and metrics are made with `@opentelemetry/api` everywhere else.
 *
 * A collector that is slow or away costs nothing but its telemetry: spans wait in a queue of 4,096 and are dropped
 * beyond it, and each export gives up after 5 s.
 *
 * @returns flushes what is left and stops, within 2 s.
 */
export function startTelemetry(options: TelemetryOptions): () => Promise<void> {
  const sdk = startNodeSdk({
    // The SDK's own diagnostics would name a missing collector every few seconds.
    logLevel: "none",
    resourceAttributes: { "service.name": options.service },
    resourceDetectors: [],
    instrumentations: [],
    logRecordProcessors: [],
    spanProcessors: spanProcessors(options.tracesEndpoint),
    metricReaders: metricReaders(options.metricsEndpoint),
  });
  const stopRuntimeMetrics = observeRuntime(metrics.getMeter("weft.runtime"));
  return async () => {
    stopRuntimeMetrics();
    const bound = AbortSignal.timeout(2_000);
    await Promise.race([
      sdk.shutdown(),
      new Promise((resolve) => bound.addEventListener("abort", resolve)),
    ]);
  };
}

function spanProcessors(url: string | undefined): BatchSpanProcessor[] {
  if (!url) {
    return [];
  }
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: 5_000 });
  return [
    new BatchSpanProcessor({
      exporter,
      maxQueueSize: 4_096,
      maxExportBatchSize: 512,
      scheduledDelayMillis: 500,
      exportTimeoutMillis: 5_000,
    }),
  ];
}

function metricReaders(
  url: string | undefined,
): PeriodicExportingMetricReader[] {
  if (!url) {
    return [];
  }
  const exporter = new OTLPMetricExporter({ url, timeoutMillis: 5_000 });
  return [
    new PeriodicExportingMetricReader({
      exporter,
      exportIntervalMillis: 10_000,
      exportTimeoutMillis: 5_000,
    }),
  ];
}

/** Event-loop delay and use, and memory: the signs of a Node process in trouble. Returns what stops the observing. */
function observeRuntime(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let lastUse = performance.eventLoopUtilization();
  meter
    .createObservableGauge("nodejs.eventloop.delay.p99", { unit: "s" })
    .addCallback((gauge) => {
      gauge.observe(delay.percentile(99) / 1e9);
      delay.reset();
    });
  meter
    .createObservableGauge("nodejs.eventloop.utilization", { unit: "1" })
    .addCallback((gauge) => {
      const use = performance.eventLoopUtilization();
      gauge.observe(performance.eventLoopUtilization(use, lastUse).utilization);
      lastUse = use;
    });
  meter
    .createObservableGauge("process.memory.usage", { unit: "By" })
    .addCallback((gauge) => gauge.observe(process.memoryUsage.rss()));
  return () => delay.disable();
}
