import { startNodeSdk } from "@opentelemetry/sdk-node";
import { metricReader } from "./metric-export.ts";
import { createSpanBatches } from "./span-batches.ts";
import type { StopTelemetry, TelemetryOptions } from "./telemetry.ts";

/**
 * Starts the whole Node SDK: samplers, propagators, resource attributes and whatever else `OTEL_*` variables ask for. The
 * endpoints that the process was given are served by our own exporters as long as no variable names another one.
 */
export function startSdk(options: TelemetryOptions): StopTelemetry {
  const { OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER } = process.env;
  const { service, tracesEndpoint, metricsEndpoint } = options;
  const sdk = startNodeSdk({
    // The SDK's own diagnostics would name a missing collector every few seconds.
    logLevel: "none",
    resourceAttributes: { "service.name": service },
    instrumentations: [],
    logRecordProcessors: [],
    ...(OTEL_TRACES_EXPORTER
      ? {}
      : {
          spanProcessors: tracesEndpoint
            ? [createSpanBatches({ url: tracesEndpoint, service })]
            : [],
        }),
    ...(OTEL_METRICS_EXPORTER
      ? {}
      : {
          metricReaders: metricsEndpoint ? [metricReader(metricsEndpoint)] : [],
        }),
  });
  return () => sdk.shutdown();
}
