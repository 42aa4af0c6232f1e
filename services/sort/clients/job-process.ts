import { fork, type ChildProcess, type StdioOptions } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Readable, Writable } from "node:stream";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { JobFailure, JobProgress, JobResult } from "../domain/sort-job.ts";
import type {
  Ask,
  FromWorker,
  ToWorker,
  WorkOrder,
} from "../domain/work-order.ts";

const main = fileURLToPath(new URL("../worker/main.ts", import.meta.url));

/** How the process of a job ended. */
export type WorkEnd =
  | { readonly kind: "done"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly failure: JobFailure }
  /** It was killed, or ended by itself: the job can go on in another. */
  | { readonly kind: "lost"; readonly how: string };

/** Whoever does a job's work. */
export interface JobWork {
  readonly ended: Promise<WorkEnd>;
  /** Lets it go on for so long. */
  renew(ms: number): void;
  cancel(): void;
  /** Lets the work go, so that it can go on elsewhere. */
  kill(): void;
}

/** A job's own process. */
export interface JobProcess extends JobWork {
  readonly pid: number | undefined;
  /** The streams of an order that has some. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
}

export interface JobProcessDeps {
  readonly onProgress: (progress: JobProgress) => void;
  readonly answer: (ask: Ask) => Promise<unknown>;
  /** The whole of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** A process that says nothing for so long is frozen, and is killed. */
  readonly silentSeconds: number;
}

/** How long a process may take to stop when it is told to. */
const cancelMs = 5_000;

/**
 * Starts a process for an order. One each: its memory is what it is told to take and goes with it, a fault of it touches
 * nobody else, and it can be killed at any time.
 */
export function startJobProcess(
  deps: JobProcessDeps,
  order: WorkOrder,
  leaseMs: number,
): JobProcess {
  const streams: StdioOptions =
    order.kind === "stream"
      ? ["pipe", "pipe", "inherit", "ipc"]
      : ["ignore", "inherit", "inherit", "ipc"];
  const child = fork(main, [], {
    stdio: streams,
    // No credentials: what it needs of others it asks for.
    env: { ...deps.env },
    // What it takes beside the arenas is small, and should stay so. What comes by a URL lies in buffers outside of the heap
    // that live until the young one is full: of 240 MB a job had up to 248 with 2 MB here, and 234 with 1.
    execArgv: ["--max-semi-space-size=1"],
  });
  let end: WorkEnd | undefined;
  const send = (message: ToWorker) => {
    if (child.connected) child.send(message, () => undefined);
  };
  // Counted in looks, not by the clock: a service that stood still itself has not listened.
  let silentLooks = 0;
  let isSilent = false;
  const listening = setInterval(() => {
    silentLooks += 1;
    if (silentLooks <= deps.silentSeconds) return;
    isSilent = true;
    kill();
  }, 1_000);
  child.on("message", (message: FromWorker) => {
    silentLooks = 0;
    switch (message.kind) {
      case "alive":
        return;
      case "progress":
        deps.onProgress(message.progress);
        return;
      case "ask":
        void answer(deps, message).then(send);
        return;
      case "done":
      case "failed":
        end = message;
        return;
    }
  });
  const kill = () => void child.kill("SIGKILL");
  const ended = exitOf(child).then((how): WorkEnd => {
    clearInterval(listening);
    return end ?? { kind: "lost", how: isSilent ? "it stood still" : how };
  });
  send({ kind: "lease", ms: leaseMs });
  send({ kind: "order", order });
  return {
    pid: child.pid,
    ended,
    stdin: child.stdin,
    stdout: child.stdout,
    renew: (ms) => send({ kind: "lease", ms }),
    cancel() {
      send({ kind: "cancel" });
      const late = setTimeout(kill, cancelMs);
      void ended.finally(() => clearTimeout(late));
    },
    kill,
  };
}

async function answer(
  deps: JobProcessDeps,
  { id, ask }: { id: number; ask: Ask },
): Promise<ToWorker> {
  try {
    return { kind: "answer", id, value: await deps.answer(ask) };
  } catch (error) {
    return { kind: "refusal", id, failure: failureOf(error) };
  }
}

function failureOf(error: unknown): JobFailure {
  if (error instanceof DomainError) {
    const { reason, message, metadata } = error;
    return { reason, message, metadata };
  }
  // Not the caller's fault, and perhaps gone at the next attempt.
  return {
    reason: "WORKER_LOST",
    message: "a service that the job needs does not answer",
    metadata: {},
  };
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) =>
      resolve(signal ?? `exit code ${code}`),
    );
  });
}
