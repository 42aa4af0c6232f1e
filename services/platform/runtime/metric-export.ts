import { metrics, ValueType, type HrTime } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-grpc";
import {
  emptyResource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type HistogramMetricData,
  type MetricProducer,
  type ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { countedSince, histograms, type Histogram } from "./histogram.ts";

/** Sends the process's metrics over OTLP gRPC every 10 s. Returns what sends the last and stops. */
export function exportMetrics(
  service: string,
  url: string,
): () => Promise<void> {
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    readers: [metricReader(url)],
  });
  metrics.setGlobalMeterProvider(provider);
  return () => provider.shutdown();
}

/** The reader that both ways of starting telemetry use: OpenTelemetry's instruments, and our bound histograms. */
export function metricReader(url: string): PeriodicExportingMetricReader {
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url, timeoutMillis: 5_000 }),
    exportIntervalMillis: 10_000,
    exportTimeoutMillis: 5_000,
    metricProducers: [boundHistograms],
  });
}

const boundHistograms: MetricProducer = {
  async collect() {
    const now = hrTimeOf(Date.now());
    const scopeMetrics = histograms
      .filter(({ series }) => series.length > 0)
      .map((histogram) => metricsOf(histogram, now));
    // The reader puts its own resource in place of this one.
    return {
      resourceMetrics: { resource: emptyResource(), scopeMetrics },
      errors: [],
    };
  },
};

function metricsOf(histogram: Histogram, endTime: HrTime): ScopeMetrics {
  const { scope, name, unit, boundaries, series } = histogram;
  const metric: HistogramMetricData = {
    descriptor: { name, unit, description: "", valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: series.map(({ attributes, counts, ...totals }) => ({
      startTime: hrTimeOf(countedSince),
      endTime,
      attributes,
      value: {
        buckets: { boundaries: [...boundaries], counts: [...counts] },
        ...totals,
      },
    })),
  };
  return { scope: { name: scope }, metrics: [metric] };
}

function hrTimeOf(ms: number): HrTime {
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
}
