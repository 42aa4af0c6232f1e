import { readFileSync } from "node:fs";
import { startTelemetry } from "../../../services/platform/runtime/telemetry.ts";
import { serveQuestions } from "../bench-child.ts";
import { peers } from "./peer.ts";
import { readProcessOptions } from "./process-options.ts";

/** Serves one peer; answers each question with its port and the CPU it has used so far, in microseconds. */
const options = readProcessOptions(process.argv[2]);
const { peer, telemetry, tls } = options;
if (telemetry) {
  await startTelemetry({
    service: "order",
    tracesEndpoint: telemetry,
    metricsEndpoint: telemetry,
  });
}
const { serve } = await peers[peer]();
const port = await serve(
  {
    ca: readFileSync(tls.ca),
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key),
  },
  options.port ?? 0,
);
serveQuestions(async () => {
  const { user, system } = process.cpuUsage();
  return { port, cpuUs: user + system };
});
