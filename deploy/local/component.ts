import {
  describeExit,
  explainEnd,
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
  /** Of the local process as it runs now; a container and a given URL have none. */
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
  let running = await startAndWait(local, local.signal);
  let isStopped = false;
  const stop = async () => {
    isStopped = true;
    await running.stop();
  };
  const { version } = local;
  return {
    name: local.process.name,
    version: typeof version === "string" ? version : await version(),
    source: "local",
    address: local.address,
    get pid() {
      return running.pid;
    },
    get exited() {
      return running.exited.then((exit) =>
        isStopped ? undefined : describeExit(exit),
      );
    },
    async revive(signal) {
      running = await startAndWait(local, signal);
      if (isStopped) await running.stop();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
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

/** Waits until `probe` is true, and stops the process where that fails. */
export async function waitReady(
  process: RunningProcess,
  probe: () => boolean | Promise<boolean>,
  options: { deadlineMs: number; signal?: AbortSignal | undefined },
): Promise<void> {
  const ended = new AbortController();
  const signals = [ended.signal, options.signal].filter((s) => s !== undefined);
  void process.exited.then((exit) =>
    ended.abort(
      new ComponentUnavailable(
        process.name,
        `it ended while starting (${explainEnd(process, exit)})`,
        `Its log is ${process.logFile}.`,
      ),
    ),
  );
  try {
    await waitUntil(probe, {
      what: `${process.name} to answer (log: ${process.logFile})`,
      deadlineMs: options.deadlineMs,
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    await process.stop();
    throw ended.signal.aborted ? ended.signal.reason : error;
  }
}
