import { existsSync } from "node:fs";
import { mkdir, rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { ComponentUnavailable } from "./component.ts";
import { lock } from "./lock.ts";
import { explainEnd, startProcess } from "./process.ts";

const HEARTBEAT_MS = 8_000;
/** The slowest step measured is Jaeger's build: 124 s on two cores. */
const STEP_DEADLINE_MS = 20 * 60_000;

export interface InstallContext {
  /** The user's cache folder for weft. */
  readonly cache: string;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Installation {
  readonly component: string;
  /** Folder below the cache; holds the version, so a new version is a new folder. */
  readonly folder: string;
  readonly needsMegabytes: number;
  /** Fills the staging folder; called by one process at a time. */
  readonly fill: (staging: string) => Promise<void>;
}

/**
 * Installs once for all starts of this user, and returns the folder. It appears
 * by one rename, so a folder that is there is whole, and a killed installation
 * begins anew at the next start.
 */
export async function installOnce(
  context: InstallContext,
  installation: Installation,
): Promise<string> {
  const target = join(context.cache, installation.folder);
  if (existsSync(target)) return target;

  using _lock = await lock(`${target}.lock`, {
    signal: context.signal,
    onWait: () =>
      context.onProgress?.(
        `${installation.component}: waiting for another start that installs it`,
      ),
  });
  if (existsSync(target)) return target;

  const staging = `${target}.staging`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  await requireDiskSpace(installation, staging);
  await installation.fill(staging);
  await rename(staging, target);
  return target;
}

/** Runs one command of an installation; its output goes to the cache's log folder. */
export async function runStep(
  context: InstallContext,
  step: {
    component: string;
    doing: string;
    command: string;
    args: readonly string[];
    cwd?: string;
    env?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const started = performance.now();
  const say = () =>
    context.onProgress?.(
      `${step.component}: ${step.doing} (${Math.round((performance.now() - started) / 1_000)} s)`,
    );
  context.signal?.throwIfAborted();
  say();
  const process = await startProcess({
    name: `install-${step.component}`,
    directory: context.cache,
    command: step.command,
    args: step.args,
    ...(step.cwd === undefined ? {} : { cwd: step.cwd }),
    ...(step.env === undefined ? {} : { env: step.env }),
  });
  const heartbeat = setInterval(say, HEARTBEAT_MS);
  const deadline = setTimeout(() => void process.stop(), STEP_DEADLINE_MS);
  const abort = () => void process.stop();
  context.signal?.addEventListener("abort", abort);
  try {
    const exit = await process.exited;
    context.signal?.throwIfAborted();
    if (exit.code === 0) return;
    throw new ComponentUnavailable(
      step.component,
      `${step.doing} failed (${explainEnd(process, exit)})`,
      `The whole output is in ${process.logFile}.`,
    );
  } finally {
    clearInterval(heartbeat);
    clearTimeout(deadline);
    context.signal?.removeEventListener("abort", abort);
  }
}

async function requireDiskSpace(
  installation: Installation,
  folder: string,
): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = Math.floor((bavail * bsize) / 1024 / 1024);
  if (free >= installation.needsMegabytes) return;
  throw new ComponentUnavailable(
    installation.component,
    `its installation needs ${installation.needsMegabytes} MB and ${folder} has ${free} MB left`,
    "Free some space, or set XDG_CACHE_HOME to a folder on a larger disk.",
  );
}
