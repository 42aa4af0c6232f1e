import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "../../../deploy/local/ports.ts";
import { startRateLimiter } from "../../integration/edge/rate-limiter.ts";
import type { MeshTls } from "../../support/mesh-tls.ts";
import { startBenchChild, type BenchChild } from "../bench-child.ts";
import { median } from "../median.ts";
import type { Load, LoadResult } from "../rpc/load.ts";
import type { OpenLoad } from "./open-load.ts";
import { startBenchRedis } from "./bench-redis.ts";
import { shippedRules } from "./bench-rules.ts";
import { waitedForCore } from "./process-cpu.ts";
import { measureMachine, type MachinePauses } from "./measure-machine.ts";
import { targets } from "./targets.ts";

const inFlight = 64;
const warmUpMs = 3_000;
const roundMs = 2_000;
const rounds = 15;
/** A server that was asked until now collects its garbage first, on cores that the other needs. */
const settleMs = 2_000;
const awayMs = 1_500;
const awayRounds = 5;

type Result = LoadResult & {
  readonly maxMs: number;
  /** How late an even load was sent, by the asking process's own fault. */
  readonly lateP99Ms: number;
};

interface Round {
  readonly decisions: Result;
  /** Of the service, for a core, in that time: three busy processes share two. */
  readonly waitedMs: number;
  /** Half of that rate, sent evenly whatever is answered. */
  readonly atHalf: Result;
  readonly echoes: Result;
}

/** The service with its Redis against a grpc-js server that answers what it was asked; then the service alone. */
export async function compareDecisions({ tls }: { readonly tls: MeshTls }) {
  const machine = await measureMachine();
  await using started = new AsyncDisposableStack();
  const redis = await startBenchRedis(started);
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-limits-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const grpcPort = await freePort();
  const limiter = started.use(
    await startRateLimiter({
      directory,
      rules: shippedRules,
      redisUrl: redis.url,
      // As it is by default.
      redisTimeoutMs: 4,
      ca: tls.certificates.ca,
      files: tls.filesOf("ratelimit"),
      grpcPort,
    }),
  );
  const echo = started.use(await startEcho(tls));
  const askLimiter = started.use(await startAsking(tls, grpcPort));
  const askEcho = started.use(await startAsking(tls, echo.port));

  for (const asking of [askLimiter, askEcho])
    await load(asking, { inFlight, ms: warmUpMs });
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await setTimeout(settleMs);
    const waitedBefore = await waitedForCore(limiter.pid);
    const decisions = await load(askLimiter, { inFlight, ms: roundMs });
    const waitedMs = (await waitedForCore(limiter.pid)) - waitedBefore;
    const half = decisions.calls / decisions.seconds / 2;
    const atHalf = await load(askLimiter, { perSecond: half, ms: roundMs });
    await setTimeout(settleMs);
    const echoes = await load(askEcho, { inFlight, ms: roundMs });
    measured.push({ decisions, waitedMs, atHalf, echoes });
  }
  const away = await measureAway(askLimiter, redis.pid);
  return report(machine, measured, away);
}

/** One caller at a time, so that what is measured is the answer and not the queue before it. */
async function measureAway(asking: BenchChild, pid: number | undefined) {
  if (pid === undefined) throw new Error("Redis is not a process of ours");
  const hung: Result[] = [];
  for (let round = 0; round < awayRounds; round += 1) {
    process.kill(pid, "SIGSTOP");
    hung.push(await load(asking, { inFlight: 1, ms: awayMs }));
    process.kill(pid, "SIGCONT");
    await load(asking, { inFlight: 1, ms: 500 });
  }
  process.kill(pid, "SIGKILL");
  const dead: Result[] = [];
  for (let round = 0; round < awayRounds; round += 1)
    dead.push(await load(asking, { inFlight: 1, ms: awayMs }));
  return { hung, dead };
}

function report(
  machine: MachinePauses,
  measured: readonly Round[],
  away: { hung: readonly Result[]; dead: readonly Result[] },
) {
  const rate = ({ calls, seconds }: Result) => calls / seconds;
  const of = (pick: (round: Round) => number) =>
    round2(median(measured.map(pick)));
  const figures = {
    decisionsPerSecond: of(({ decisions }) => rate(decisions)),
    echoesPerSecond: of(({ echoes }) => rate(echoes)),
    ratio: of(({ decisions, echoes }) => rate(decisions) / rate(echoes)),
    p50Ms: of(({ decisions }) => decisions.p50Ms),
    p99Ms: of(({ decisions }) => decisions.p99Ms),
    waitedForCoreMsPerSecond: of(
      ({ waitedMs, decisions }) => waitedMs / decisions.seconds,
    ),
    atHalfPerSecond: of(({ atHalf }) => rate(atHalf)),
    atHalfP50Ms: of(({ atHalf }) => atHalf.p50Ms),
    atHalfP99Ms: of(({ atHalf }) => atHalf.p99Ms),
    atHalfAskedLateP99Ms: of(({ atHalf }) => atHalf.lateP99Ms),
    echoP50Ms: of(({ echoes }) => echoes.p50Ms),
    echoP99Ms: of(({ echoes }) => echoes.p99Ms),
    redisHungP99Ms: round2(median(away.hung.map(({ p99Ms }) => p99Ms))),
    redisHungMaxMs: round2(median(away.hung.map(({ maxMs }) => maxMs))),
    redisDeadP99Ms: round2(median(away.dead.map(({ p99Ms }) => p99Ms))),
    redisDeadMaxMs: round2(median(away.dead.map(({ maxMs }) => maxMs))),
    redisHungWorstMs: round2(Math.max(...away.hung.map(({ maxMs }) => maxMs))),
    redisDeadWorstMs: round2(Math.max(...away.dead.map(({ maxMs }) => maxMs))),
    // The client is a process of its own that takes little: what is measured is the server.
    clientCpuUs: of(({ decisions }) => decisions.cpuUs / decisions.calls),
  };
  console.table({ ...machine, ...figures });
  return {
    inFlight,
    roundMs,
    rounds,
    machine,
    figures,
    targets: targets([
      ["decisions/s against a grpc-js echo", figures.ratio, ">=", 0.5],
      ["p99 of a decision at 64 in flight, ms", figures.p99Ms, "<=", 5],
      [
        "p99 of a decision at half the capacity, ms",
        figures.atHalfP99Ms,
        "<=",
        5,
      ],
      ["p99 with Redis dead, ms", figures.redisDeadP99Ms, "<=", 10],
      ["p99 with Redis hung, ms", figures.redisHungP99Ms, "<=", 10],
      [
        "slowest of the middle round with Redis dead, ms",
        figures.redisDeadMaxMs,
        "<=",
        10,
      ],
      [
        "slowest of the middle round with Redis hung, ms",
        figures.redisHungMaxMs,
        "<=",
        10,
      ],
    ]),
  };
}

async function load(
  asking: BenchChild,
  question: Load | OpenLoad,
): Promise<Result> {
  // asking-process.ts answers with this.
  return (await asking.ask(question)) as Result;
}

async function startEcho(tls: MeshTls) {
  const child = await startBenchChild(
    new URL("./echo-process.ts", import.meta.url),
    { tls: { ca: tls.certificates.ca, ...tls.filesOf("ratelimit") } },
  );
  // echo-process.ts answers everything with its port.
  const { port } = (await child.ask({})) as { port: number };
  return { ...child, port };
}

async function startAsking(tls: MeshTls, port: number): Promise<BenchChild> {
  return startBenchChild(new URL("./asking-process.ts", import.meta.url), {
    address: `127.0.0.1:${port}`,
    tls: { ca: tls.certificates.ca, ...tls.filesOf("edge") },
  });
}

function round2(value: number): number {
  return Number(value.toFixed(2));
}
