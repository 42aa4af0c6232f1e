import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  CompositePropagator,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  ParentBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { observeRuntime } from "./runtime-metrics.ts";
import { createSpanBatches } from "./span-batches.ts";

/** Where a process's telemetry goes: OTLP over gRPC. A signal without an endpoint is not recorded at all. */
export interface TelemetryOptions {
  readonly service: string;
  readonly tracesEndpoint: string | undefined;
  readonly metricsEndpoint: string | undefined;
  /** Give the whole of OpenTelemetry's Node SDK, which obeys every `OTEL_*` variable. Default false. */
  readonly wholeSdk?: boolean;
}

/** Flushes what is left and stops; takes 2 s at most. */
export type StopTelemetry = () => Promise<void>;

/**
 * Starts OpenTelemetry in this process. Spans and metrics are made with `@opentelemetry/api` everywhere else.
 *
 * A collector that is slow or away costs nothing but its telemetry. What a process does not use is not loaded: the whole
 * SDK brings every exporter there is (15 MB), metrics bring theirs (8 MB).
 */
export async function startTelemetry(
  options: TelemetryOptions,
): Promise<StopTelemetry> {
  const stops = options.wholeSdk
    ? [await startWholeSdk(options)]
    : [startTraces(options), await startMetrics(options)];
  const stopRuntimeMetrics = observeRuntime(metrics.getMeter("weft.runtime"));
  return async () => {
    stopRuntimeMetrics();
    const bound = AbortSignal.timeout(2_000);
    await Promise.race([
      Promise.all(stops.map((stop) => stop())),
      new Promise((resolve) => bound.addEventListener("abort", resolve)),
    ]);
  };
}

async function startWholeSdk(options: TelemetryOptions) {
  const { startSdk } = await import("./telemetry-sdk.ts");
  return startSdk(options);
}

function startTraces({
  service,
  tracesEndpoint,
}: TelemetryOptions): StopTelemetry {
  context.setGlobalContextManager(
    new AsyncLocalStorageContextManager().enable(),
  );
  propagation.setGlobalPropagator(
    new CompositePropagator({
      propagators: [
        new W3CTraceContextPropagator(),
        new W3CBaggagePropagator(),
      ],
    }),
  );
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    ...(tracesEndpoint
      ? {
          spanProcessors: [createSpanBatches({ url: tracesEndpoint, service })],
        }
      : // Trace ids pass through, and a trace that somebody else records is recorded by those behind us too.
        { sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) }),
  });
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown();
}

async function startMetrics(options: TelemetryOptions): Promise<StopTelemetry> {
  if (!options.metricsEndpoint) {
    return async () => {};
  }
  const { exportMetrics } = await import("./metric-export.ts");
  return exportMetrics(options.service, options.metricsEndpoint);
}
