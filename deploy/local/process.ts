import { spawn, type ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { openLineLog, type LineLog } from "./line-log.ts";
import { awaitPredecessor, writePidFile } from "./predecessor.ts";
import { guardedLaunch, startGuard } from "./process-guard.ts";
import { signalGroup } from "./signal-group.ts";

const LAST_WORDS_MS = 500;

export interface ProcessOptions {
  /** Names the log (`logs/<name>.log`) and the pid file below `directory`. */
  readonly name: string;
  readonly directory: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; this process's own when left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Asks for an orderly stop; `TERM` when left out. */
  readonly stopSignal?: "TERM" | "INT";
  /** How long an orderly stop may take before SIGKILL. */
  readonly graceMs?: number;
  /** Opens an IPC channel; `ready` resolves at the message `"ready"`. */
  readonly ipc?: boolean;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly ready: Promise<void>;
  readonly exited: Promise<ProcessExit>;
  readonly lastLines: () => string[];
  /** Orderly stop, then SIGKILL to the whole group; resolves when it is gone. */
  readonly stop: (graceMs?: number) => Promise<ProcessExit>;
}

/**
 * Starts a command in a process group of its own that cannot outlive this
 * process. Waits first for an earlier process of the same name and directory.
 */
export async function startProcess(
  options: ProcessOptions,
): Promise<RunningProcess> {
  const pidFile = join(options.directory, "run", `${options.name}.pid`);
  await awaitPredecessor(pidFile);
  const logFile = join(options.directory, "logs", `${options.name}.log`);
  const log = openLineLog(logFile);

  const guard = startGuard();
  const child = launch(options, guard);
  const exited = observeExit(child, guard, log, pidFile);
  const ready = untilReady(child);
  const pid = await spawned(child);
  await writePidFile(pidFile, pid, options.command);

  return {
    name: options.name,
    pid,
    logFile,
    exited,
    ready,
    lastLines: log.tail,
    stop: (graceMs = options.graceMs ?? 5_000) =>
      stop(child, exited, `SIG${options.stopSignal ?? "TERM"}`, graceMs),
  };
}

/** A readable end: `exit code 1` or `SIGKILL`. */
export function describeExit(exit: ProcessExit): string {
  return exit.signal ?? `exit code ${exit.code ?? "unknown"}`;
}

/** How it ended, and its last line that looks like a reason. */
export function explainEnd(process: RunningProcess, exit: ProcessExit): string {
  return `${describeExit(exit)}: ${lastReason(process)}`;
}

/** Its last line that looks like a reason. */
export function lastReason(process: RunningProcess): string {
  const lines = process.lastLines().filter((line) => line.trim() !== "");
  const reason =
    lines.findLast((line) => REASON.test(line)) ?? lines.at(-1) ?? "no output";
  return reason.trim().slice(0, 300);
}

const REASON = /error|fatal|exception|refus|invalid|not found|denied|in use/i;

function launch(options: ProcessOptions, guard: Writable): ChildProcess {
  return spawn(
    "sh",
    guardedLaunch(options.stopSignal ?? "TERM", options.command, options.args),
    {
      detached: true,
      stdio: [
        "ignore",
        "pipe",
        "pipe",
        guard,
        ...(options.ipc ? (["ipc"] as const) : []),
      ],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
      ...options.user,
    },
  );
}

function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      child.off("error", reject);
      // `pid` is set once "spawn" is emitted.
      resolve(child.pid as number);
    });
  });
}

function observeExit(
  child: ChildProcess,
  guard: Writable,
  log: LineLog,
  pidFile: string,
): Promise<ProcessExit> {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) copyLines(stream, log);
  }
  child.once("close", () => log.close());
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
      guard.end("seen\n");
      rmSync(pidFile, { force: true });
      // Its last words may still be in the pipe; a stranger may hold the other end.
      const late = setTimeout(resolve, LAST_WORDS_MS, { code, signal });
      child.once("close", () => {
        clearTimeout(late);
        resolve({ code, signal });
      });
    });
  });
}

function copyLines(stream: Readable, log: LineLog): void {
  createInterface({ input: stream }).on("line", (line) => log.write(line));
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on("message", (message) => {
      if (message === "ready") resolve();
    });
  });
}

async function stop(
  child: ChildProcess,
  exited: Promise<ProcessExit>,
  signal: "SIGTERM" | "SIGINT",
  graceMs: number,
): Promise<ProcessExit> {
  child.kill(signal);
  const timer = setTimeout(() => {
    if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
  }, graceMs);
  try {
    return await exited;
  } finally {
    clearTimeout(timer);
  }
}
