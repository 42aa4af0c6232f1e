import {
  describeExit,
  explainEnd,
  lastReason,
  startProcess,
  type ProcessOptions,
  type RunningProcess,
} from "./process.ts";
import { isPortFree } from "./ports.ts";
import { waitUntil } from "./wait.ts";
import type { LocalConfig } from "./config.ts";

/** Where a component came from; docs: the order of choice is this one. */
export type Source = "environment" | "docker" | "local";

export interface Component extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  readonly source: Source;
  /** What a person would paste: host and port, or a URL without secrets. */
  readonly address: string;
  /** Of the local process while it runs; a container and a given URL have none. */
  readonly pid: number | undefined;
  /** Resolves when the local process of now ends: with the reason, or undefined where it was stopped. */
  readonly exited: Promise<string | undefined> | undefined;
  /** Starts a local process that ended again, with its ports and its data; resolves when it answers. */
  readonly revive?: (signal: AbortSignal) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface StartOptions {
  /** The run's folder. Data is below `<directory>/<name>`, logs below `<directory>/logs`. */
  readonly directory: string;
  /** A free port when left out. */
  readonly port?: number;
  /** Read from the environment when left out. */
  readonly config?: LocalConfig;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A component that can't be had here, with the reason and the remedy in one line. */
export class ComponentUnavailable extends Error {
  readonly component: string;
  readonly reason: string;
  readonly remedy: string;

  constructor(
    component: string,
    reason: string,
    remedy: string,
    options?: ErrorOptions,
  ) {
    super(`${component} is not available: ${reason}. ${remedy}`, options);
    this.name = "ComponentUnavailable";
    this.component = component;
    this.reason = reason;
    this.remedy = remedy;
  }
}

/** A component that runs elsewhere: `stop` leaves it alone. */
export function environmentComponent(
  name: string,
  version: string,
  address: string,
): Component {
  const stop = async () => undefined;
  return {
    name,
    version,
    source: "environment",
    address,
    pid: undefined,
    exited: undefined,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export interface LocalComponent {
  readonly process: ProcessOptions;
  /** What it is, or how to ask it once it runs. */
  readonly version: string | (() => Promise<string>);
  readonly address: string;
  readonly probe: () => boolean | Promise<boolean>;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Starts a component as a process of this machine, and waits until it answers. */
export async function startLocalComponent(
  local: LocalComponent,
): Promise<Component> {
  let running = watched(await startAndWait(local, local.signal));
  const version = await versionOf(local, running);
  let isStopped = false;
  const stop = async () => {
    isStopped = true;
    await running.stop();
  };
  return {
    name: local.process.name,
    version,
    source: "local",
    address: local.address,
    get pid() {
      return running.hasEnded() ? undefined : running.pid;
    },
    get exited() {
      return running.exited.then((exit) =>
        isStopped ? undefined : describeExit(exit),
      );
    },
    async revive(signal) {
      running = watched(await startAndWait(local, signal));
      if (isStopped) await running.stop();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function watched(
  process: RunningProcess,
): RunningProcess & { readonly hasEnded: () => boolean } {
  let hasEnded = false;
  void process.exited.then(() => (hasEnded = true));
  return { ...process, hasEnded: () => hasEnded };
}

async function startAndWait(
  local: LocalComponent,
  signal: AbortSignal | undefined,
): Promise<RunningProcess> {
  signal?.throwIfAborted();
  const process = await startProcess(local.process);
  const { deadlineMs } = local;
  await waitReady(process, local.probe, { deadlineMs, signal });
  return process;
}

async function versionOf(
  { version }: LocalComponent,
  running: RunningProcess,
): Promise<string> {
  if (typeof version === "string") return version;
  try {
    return await version();
  } catch (error) {
    // Nobody else knows of the process yet, and this one would not end before it.
    await running.stop();
    throw error;
  }
}

/** Refuses a port that is taken, before a process says so in its own words. */
export async function requireFreePort(
  component: string,
  port: number,
): Promise<void> {
  if (await isPortFree(port)) return;
  throw new ComponentUnavailable(
    component,
    `port ${port} is in use`,
    `Stop what listens there, or let weft choose a free port.`,
  );
}

/**
 * Waits until `probe` is true, and stops the process where that fails.
 *
 * @throws ComponentUnavailable that tells how it ended, or what it said last before its time was over.
 */
export async function waitReady(
  process: RunningProcess,
  probe: () => boolean | Promise<boolean>,
  options: { deadlineMs: number; signal?: AbortSignal | undefined },
): Promise<void> {
  const { deadlineMs, signal } = options;
  const ended = new AbortController();
  void process.exited.then((exit) =>
    ended.abort(
      notReady(
        process,
        `it ended before it was ready (${explainEnd(process, exit)})`,
      ),
    ),
  );
  try {
    await waitUntil(probe, {
      what: `${process.name} to be ready`,
      deadlineMs,
      signal: AbortSignal.any([ended.signal, ...(signal ? [signal] : [])]),
    });
  } catch (error) {
    // Looked at before the stop, which is an end as well.
    const isOver = ended.signal.aborted;
    await process.stop();
    if (isOver) throw ended.signal.reason;
    if (signal?.aborted) throw error;
    const seconds = deadlineMs / 1_000;
    throw notReady(
      process,
      `it was not ready within ${seconds} s (${lastReason(process)})`,
      error,
    );
  }
}

function notReady(
  process: RunningProcess,
  reason: string,
  cause?: unknown,
): ComponentUnavailable {
  const remedy = `Its log is ${process.logFile}.`;
  return new ComponentUnavailable(process.name, reason, remedy, { cause });
}
