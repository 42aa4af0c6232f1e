import { setTimeout as delay } from "node:timers/promises";
import { waitReady } from "./component.ts";
import { describeExit, startProcess, type RunningProcess } from "./process.ts";
import { HEALTHY_MS, restartBackoff } from "./restart-backoff.ts";

const READY_DEADLINE_MS = 60_000;
const STOP_BUDGET_MS = 6_000;

export interface SupervisedService {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Asked until it is true; without it, the service sends `"ready"` over IPC. */
  readonly probe?: () => Promise<boolean>;
}

export interface Supervisor extends AsyncDisposable {
  /** Starts a service; resolves when it is ready, throws when it ends before that. */
  readonly start: (service: SupervisedService) => Promise<void>;
  /** Stops and starts a service; resolves when it is ready again. */
  readonly restart: (name: string) => Promise<void>;
  /** The pid of each service that runs at this moment. */
  readonly pids: () => Record<string, number>;
  /** Stops all, the last started first, within 6 s in total. */
  readonly stop: () => Promise<void>;
}

interface Supervised {
  readonly service: SupervisedService;
  running: RunningProcess | undefined;
  /** Set while somebody stops it on purpose. */
  expectedToEnd: boolean;
  deaths: number;
  /** Starts and stops of one service follow one another. */
  turn: Promise<unknown>;
}

/** Starts services as child processes and restarts those that die, with backoff and jitter. */
export function createSupervisor(deps: {
  readonly directory: string;
  readonly onProgress: (line: string) => void;
  /** One of the pids is another, or none. */
  readonly onPids?: () => void;
  /** How long a service may take until it is ready. 60 s. */
  readonly readyMs?: number;
  /** Ends waits and revivals, as a stop does; the services stop with `stop`. */
  readonly signal?: AbortSignal | undefined;
}): Supervisor {
  const supervised = new Map<string, Supervised>();
  const stopped = new AbortController();
  const stopping = deps.signal
    ? AbortSignal.any([stopped.signal, deps.signal])
    : stopped.signal;

  async function run(entry: Supervised): Promise<void> {
    const startedAt = performance.now();
    const { service } = entry;
    const process = await startProcess({
      ...service,
      directory: deps.directory,
      ipc: service.probe === undefined,
    });
    if (stopping.aborted) {
      await process.stop(0);
      throw stopping.reason;
    }
    entry.running = process;
    entry.expectedToEnd = false;
    deps.onPids?.();
    let wasReady = false;
    void process.exited.then((exit) => {
      entry.running = undefined;
      deps.onPids?.();
      if (entry.expectedToEnd || stopping.aborted || !wasReady) return;
      if (performance.now() - startedAt > HEALTHY_MS) entry.deaths = 0;
      void revive(entry, `ended (${describeExit(exit)})`);
    });
    let isReady = false;
    void process.ready.then(() => (isReady = true));
    await waitReady(process, service.probe ?? (() => isReady), {
      deadlineMs: deps.readyMs ?? READY_DEADLINE_MS,
      signal: stopping,
    });
    if (entry.running !== process) {
      throw new Error(`${service.name} ended as soon as it was ready`);
    }
    wasReady = true;
  }

  async function revive(entry: Supervised, cause: string): Promise<void> {
    const { name } = entry.service;
    let reason = cause;
    while (!stopping.aborted) {
      const wait = restartBackoff(entry.deaths++);
      deps.onProgress(`${name}: ${reason}; starting it again in ${wait} ms`);
      try {
        await delay(wait, undefined, { signal: stopping });
        const revived = await inTurn(entry, async () => {
          if (entry.running !== undefined) return false;
          await run(entry);
          return true;
        });
        if (!revived) return;
        deps.onProgress(`${name}: ready again`);
        return;
      } catch (error) {
        if (stopping.aborted) return;
        reason = (error as Error).message;
      }
    }
  }

  async function end(entry: Supervised, graceMs: number): Promise<void> {
    entry.expectedToEnd = true;
    await entry.running?.stop(graceMs);
  }

  async function stop(): Promise<void> {
    stopped.abort(new Error("the mesh is stopping"));
    const deadline = performance.now() + STOP_BUDGET_MS;
    for (const entry of [...supervised.values()].reverse()) {
      await end(entry, Math.max(0, deadline - performance.now()));
      await entry.turn;
    }
  }

  return {
    async start(service) {
      if (supervised.has(service.name)) {
        throw new Error(`${service.name} is already supervised`);
      }
      const entry: Supervised = {
        service,
        running: undefined,
        expectedToEnd: false,
        deaths: 0,
        turn: Promise.resolve(),
      };
      supervised.set(service.name, entry);
      await inTurn(entry, () => run(entry));
    },
    async restart(name) {
      const entry = supervised.get(name);
      if (entry === undefined) throw new Error(`no service named ${name}`);
      try {
        await inTurn(entry, async () => {
          await end(entry, STOP_BUDGET_MS);
          await run(entry);
        });
      } catch (error) {
        void revive(entry, (error as Error).message);
        throw error;
      }
    },
    pids: () =>
      Object.fromEntries(
        [...supervised].flatMap(([name, { running }]) =>
          running === undefined ? [] : [[name, running.pid]],
        ),
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function inTurn<T>(entry: Supervised, work: () => Promise<T>): Promise<T> {
  const result = entry.turn.then(work);
  // The next turn does not care how this one went; its own caller does.
  entry.turn = result.catch(() => undefined);
  return result;
}
