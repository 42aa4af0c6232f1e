import { readFileSync } from "node:fs";
import { serveQuestions } from "../bench-child.ts";
import { percentile } from "../median.ts";
import type { Load, LoadResult } from "../rpc/load.ts";
import { DECIDE_PATH, decisionRequests } from "./decision-requests.ts";
import { readGrpcOptions } from "./grpc-process.ts";
import { connectLean } from "./lean-client.ts";

/** Asks one server for decisions; each question is a load to make, the answer what came of it. */
const { tls, address = "" } = readGrpcOptions(process.argv[2]);
const { hostname, port } = new URL(`https://${address}`);
const requests = decisionRequests();
let answered: (call: number) => void = () => undefined;
let failed: (error: Error) => void = () => undefined;
const client = await connectLean(
  {
    host: hostname,
    port: Number(port),
    tls: {
      ca: readFileSync(tls.ca),
      key: readFileSync(tls.key),
      cert: readFileSync(tls.cert),
    },
    path: DECIDE_PATH,
    requests,
  },
  {
    answered: (call) => answered(call),
    failed: (error) => failed(error),
  },
);
let nextRequest = 0;

// The parent asks with nothing but loads.
serveQuestions((question) => makeLoad(question as Load));

/** Keeps so many calls under way for so long. */
async function makeLoad({
  inFlight,
  ms,
}: Load): Promise<LoadResult & { maxMs: number }> {
  const latencies: number[] = [];
  const sentAt = Array.from({ length: inFlight }, () => 0);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let underWay = 0;
  const send = (call: number) => {
    nextRequest = (nextRequest + 1) % requests.length;
    sentAt[call] = performance.now();
    underWay += 1;
    client.send(nextRequest, call);
  };
  await new Promise<void>((resolve, reject) => {
    failed = reject;
    answered = (call) => {
      const now = performance.now();
      latencies.push(now - (sentAt[call] ?? now));
      underWay -= 1;
      if (now < startedAt + ms) send(call);
      else if (underWay === 0) resolve();
    };
    for (let call = 0; call < inFlight; call += 1) send(call);
    client.flush();
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    calls: latencies.length,
    seconds,
    cpuUs: cpu.user + cpu.system,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.reduce((most, each) => Math.max(most, each), 0),
  };
}
