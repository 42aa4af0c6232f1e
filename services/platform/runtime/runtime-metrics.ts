import type { Meter } from "@opentelemetry/api";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";

/** Event-loop delay and use, and memory: the signs of a Node process in trouble. Returns what stops the observing. */
export function observeRuntime(meter: Meter): () => void {
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
