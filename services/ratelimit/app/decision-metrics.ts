import { metrics } from "@opentelemetry/api";
import {
  declareHistogram,
  observe,
  type HistogramSeries,
} from "../../platform/runtime/histogram.ts";
import type { DecidedBy, Decision } from "../domain/decision.ts";
import type { WatchedRules } from "./watch-rules.ts";

const durations = declareHistogram({
  scope: "weft.ratelimit",
  name: "weft.ratelimit.decision.duration",
  unit: "s",
  boundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
});

export interface DecisionMetrics extends Disposable {
  decided(decision: Decision, seconds: number): void;
}

/** Counts decisions by how they were come by, and refusals by rule: labels that the file of rules bounds. */
export function createDecisionMetrics(rules: WatchedRules): DecisionMetrics {
  const meter = metrics.getMeter("weft.ratelimit");
  const refused = meter.createObservableCounter("weft.ratelimit.refusals", {
    description: "Checks without room; in shadow they refuse nobody",
    unit: "{check}",
  });
  const faulty = meter.createObservableCounter("weft.ratelimit.rules.refused", {
    description: "Changed files of rules that could not be used",
    unit: "{file}",
  });
  // The durations tell as much, but are not there before the first such decision: an alert needs a series.
  const uncounted = meter.createObservableCounter(
    "weft.ratelimit.decisions.uncounted",
    {
      description: "Decisions that were answered without Redis",
      unit: "{decision}",
    },
  );
  let uncountedDecisions = 0;
  const refusals = new Map<string, { shadow: boolean; count: number }>();
  const series = new Map<string, HistogramSeries>();
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    for (const [rule, { shadow, count }] of refusals)
      result.observe(refused, count, { rule, shadow });
    result.observe(faulty, rules.refused());
    result.observe(uncounted, uncountedDecisions);
  };
  const observed = [refused, faulty, uncounted];
  meter.addBatchObservableCallback(report, observed);

  const seriesOf = (by: DecidedBy, allowed: boolean) => {
    const label = `${by} ${allowed}`;
    const known = series.get(label);
    if (known !== undefined) return known;
    const made = durations.bind({ by, allowed });
    series.set(label, made);
    return made;
  };

  return {
    decided(decision, seconds) {
      if (decision.by === "redis-away") uncountedDecisions += 1;
      observe(durations, seriesOf(decision.by, decision.allowed), seconds);
      for (const outcomes of decision.outcomes) {
        for (const { room, check } of outcomes) {
          if (room) continue;
          const { name, shadow } = check.rule;
          const known = refusals.get(name);
          if (known) known.count += 1;
          else refusals.set(name, { shadow, count: 1 });
        }
      }
    },
    [Symbol.dispose]: () =>
      meter.removeBatchObservableCallback(report, observed),
  };
}
