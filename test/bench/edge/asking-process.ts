import { readFileSync } from "node:fs";
import { serveQuestions } from "../bench-child.ts";
import type { Load, LoadResult } from "../rpc/load.ts";
import { DECIDE_PATH, decisionRequests } from "./decision-requests.ts";
import { readGrpcOptions } from "./grpc-process.ts";
import { Latencies } from "./latencies.ts";
import { connectLean } from "./lean-client.ts";
import type { OpenLoad } from "./open-load.ts";

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

/** Milliseconds between two looks at what is due. */
const TICK_MS = 1;
/** 22 kB of requests: the client counts no flow-control windows, and a server's is 64 kB, of which half may be used up. */
const MOST_OPEN = 128;

// The parent asks with nothing but loads.
serveQuestions((question) => makeLoad(question as Load | OpenLoad));

async function makeLoad(
  load: Load | OpenLoad,
): Promise<LoadResult & { maxMs: number; lateP99Ms: number }> {
  const latencies = new Latencies();
  const late = new Latencies();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await ("inFlight" in load
    ? keepInFlight(load, latencies)
    : sendEvenly(load, latencies, late));
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    calls: latencies.length,
    seconds,
    cpuUs: cpu.user + cpu.system,
    p50Ms: latencies.percentile(0.5),
    p99Ms: latencies.percentile(0.99),
    lateP99Ms: late.length > 0 ? late.percentile(0.99) : 0,
    maxMs: latencies.percentile(1),
  };
}

/** Keeps so many calls under way for so long. */
function keepInFlight(
  { inFlight, ms }: Load,
  latencies: Latencies,
): Promise<void> {
  const sentAt = new Float64Array(inFlight);
  const endsAt = performance.now() + ms;
  let underWay = 0;
  const send = (call: number) => {
    sentAt[call] = performance.now();
    underWay += 1;
    client.send(followingRequest(), call);
  };
  return new Promise((resolve, reject) => {
    failed = reject;
    answered = (call) => {
      const now = performance.now();
      latencies.add(now - (sentAt[call] ?? now));
      underWay -= 1;
      if (now < endsAt) send(call);
      else if (underWay === 0) resolve();
    };
    for (let call = 0; call < inFlight; call += 1) send(call);
    client.flush();
  });
}

/**
 * Sends at an even rate; after a pause, what is due waits its turn. A call that had to wait for answers counts from when it was
 * due, so a pause of the server is felt by all that were due in it. A call that this process was late to send, for it had no
 * core itself, counts from when it was sent, and the delay is told apart in `late`.
 */
function sendEvenly(
  { perSecond, ms }: OpenLoad,
  latencies: Latencies,
  late: Latencies,
): Promise<void> {
  const beganAt = performance.now();
  const calls = Math.floor((perSecond * ms) / 1_000);
  const dueAt = (call: number) => beganAt + (call * 1_000) / perSecond;
  const countsFrom = new Float64Array(calls);
  let sent = 0;
  let waits = false;
  return new Promise((resolve, reject) => {
    failed = reject;
    answered = (call) => {
      const now = performance.now();
      latencies.add(now - (countsFrom[call] ?? now));
      if (latencies.length === calls) resolve();
    };
    const sendDue = () => {
      const now = performance.now();
      const most = Math.min(calls, latencies.length + MOST_OPEN);
      while (sent < most && dueAt(sent) <= now) {
        if (!waits) late.add(now - dueAt(sent));
        countsFrom[sent] = waits ? dueAt(sent) : now;
        client.send(followingRequest(), sent);
        sent += 1;
      }
      waits = sent === most && sent < calls && dueAt(sent) <= now;
      client.flush();
      if (sent < calls) setTimeout(sendDue, TICK_MS);
    };
    sendDue();
  });
}

function followingRequest(): number {
  nextRequest = (nextRequest + 1) % requests.length;
  return nextRequest;
}
