import { readFileSync } from "node:fs";
import { startTelemetry } from "../../../services/platform/runtime/telemetry.ts";
import { serveQuestions } from "../bench-child.ts";
import { percentile } from "../median.ts";
import { peers } from "./peer.ts";
import { readProcessOptions } from "./process-options.ts";
import type { Load, LoadResult } from "./load.ts";

/** Calls one peer; each question is a load to make, the answer what came of it. */
const {
  peer,
  address = "",
  telemetry,
  tls,
  token,
} = readProcessOptions(process.argv[2]);
if (telemetry) {
  await startTelemetry({
    service: "bench",
    tracesEndpoint: telemetry,
    metricsEndpoint: telemetry,
  });
}
const { connect } = await peers[peer]();
const files = {
  ca: readFileSync(tls.ca),
  cert: readFileSync(tls.cert),
  key: readFileSync(tls.key),
};
const call = connect(address, files, token);
// The parent asks with nothing but loads.
serveQuestions((question) => makeLoad(question as Load));

async function makeLoad(load: Load): Promise<LoadResult> {
  const latencies: number[] = [];
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + load.ms;
  const worker = async () => {
    for (;;) {
      const sentAt = performance.now();
      if (sentAt >= endsAt) return;
      await call();
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: load.inFlight }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    calls: latencies.length,
    seconds,
    cpuUs: cpu.user + cpu.system,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}
