import type { Attributes } from "@opentelemetry/api";

/** One series of a histogram: values of one set of attributes. */
export interface HistogramSeries {
  readonly attributes: Attributes;
  /** Values at most as large as the boundary of the same index; the last counts what is larger than all. */
  readonly counts: number[];
  sum: number;
  count: number;
  min: number;
  max: number;
}

/**
 * A histogram whose series are bound to their attributes once. OpenTelemetry's instruments look a series up by hashing its
 * attributes for each value, which took 8 us of every call; these are exported beside them (`metric-export.ts`).
 */
export interface Histogram {
  readonly scope: string;
  readonly name: string;
  readonly unit: string;
  readonly boundaries: readonly number[];
  readonly series: readonly HistogramSeries[];
  /** Adds a series. Whoever calls it keeps what it returns, and bounds how many there are. */
  bind(attributes: Attributes): HistogramSeries;
}

const made: Histogram[] = [];

/** All histograms of this process, for its exporter. */
export const histograms: readonly Histogram[] = made;

/** When counting began, in Unix milliseconds. */
export const countedSince = Date.now();

/** Declares a histogram; like an OpenTelemetry instrument, once a process. */
export function declareHistogram(
  options: Pick<Histogram, "scope" | "name" | "unit" | "boundaries">,
): Histogram {
  const series: HistogramSeries[] = [];
  const histogram: Histogram = {
    ...options,
    series,
    bind(attributes) {
      const bound: HistogramSeries = {
        attributes,
        counts: Array.from({ length: options.boundaries.length + 1 }, () => 0),
        sum: 0,
        count: 0,
        min: Infinity,
        max: -Infinity,
      };
      series.push(bound);
      return bound;
    },
  };
  made.push(histogram);
  return histogram;
}

/** Counts one value. */
export function observe(
  { boundaries }: Pick<Histogram, "boundaries">,
  series: HistogramSeries,
  value: number,
): void {
  let bucket = 0;
  while (bucket < boundaries.length && value > (boundaries[bucket] ?? 0)) {
    bucket += 1;
  }
  series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
  series.sum += value;
  series.count += 1;
  series.min = Math.min(series.min, value);
  series.max = Math.max(series.max, value);
}
