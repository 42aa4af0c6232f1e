import { Client, credentials } from "@grpc/grpc-js";
import { readFileSync } from "node:fs";
import { serveQuestions } from "../bench-child.ts";
import { percentile } from "../median.ts";
import type { Load, LoadResult } from "../rpc/load.ts";
import { DECIDE_PATH, decisionRequests } from "./decision-requests.ts";
import { readGrpcOptions } from "./grpc-process.ts";

/** Asks one server for decisions; each question is a load to make, the answer what came of it. */
const { tls, address = "" } = readGrpcOptions(process.argv[2]);
const client = new Client(
  address,
  credentials.createSsl(
    readFileSync(tls.ca),
    readFileSync(tls.key),
    readFileSync(tls.cert),
  ),
  { "grpc.ssl_target_name_override": "localhost" },
);
const requests = decisionRequests();
const bytes = (value: Buffer) => value;
let next = 0;

function ask(): Promise<void> {
  next = (next + 1) % requests.length;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      DECIDE_PATH,
      bytes,
      bytes,
      // The index is below the length.
      requests[next] as Buffer,
      (error, answer) => {
        if (error) reject(error);
        else if (answer && answer.length > 0) resolve();
        else reject(new Error("an empty answer"));
      },
    );
  });
}

// The parent asks with nothing but loads.
serveQuestions((question) => makeLoad(question as Load));

async function makeLoad({
  inFlight,
  ms,
}: Load): Promise<LoadResult & { maxMs: number }> {
  const latencies: number[] = [];
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const worker = async () => {
    for (;;) {
      const sentAt = performance.now();
      if (sentAt >= startedAt + ms) return;
      await ask();
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    calls: latencies.length,
    seconds,
    cpuUs: cpu.user + cpu.system,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: Math.max(...latencies),
  };
}
