import { resolve } from "node:path";
import { createHash } from "node:crypto";
import type { Component, StartOptions } from "./component.ts";
import type { LocalConfig } from "./config.ts";
import { openLineLog } from "./line-log.ts";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { GenericContainer } from "testcontainers";
import { persistentSecret } from "./secrets.ts";

const START_TIMEOUT_MS = 180_000;

export interface ContainerOptions {
  readonly name: string;
  readonly image: string;
  readonly version: string;
  readonly address: string;
  /** Container port -> port of this machine. */
  readonly ports: Readonly<Record<number, number>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  /** Where the image keeps its data; a named volume of the run's folder keeps it. */
  readonly dataPath?: string;
}

/** Whether a Docker engine answers; false too where testcontainers is not installed. */
export async function dockerAnswers(config: LocalConfig): Promise<boolean> {
  if (!config.docker) return false;
  try {
    const { getContainerRuntimeClient } = await import("testcontainers");
    await getContainerRuntimeClient();
    return true;
  } catch {
    // It throws where no socket answers; which one it tried does not matter here.
    return false;
  }
}

/**
 * Starts a container on fixed ports of this machine, removed when this process
 * ends (testcontainers' reaper). Tried by hand with Podman's Docker API; no test has an engine.
 */
export async function startContainer(
  options: ContainerOptions,
  start: StartOptions,
): Promise<Component> {
  const { Wait } = await import("testcontainers");
  start.onProgress?.(`${options.name}: starting ${options.image} in Docker`);
  const log = openLineLog(`${start.directory}/logs/${options.name}.log`);
  const container = (await loopbackContainer(options))
    .withExposedPorts(
      ...Object.entries(options.ports).map(([inside, outside]) => ({
        container: Number(inside),
        host: outside,
      })),
    )
    .withEnvironment({ ...options.environment })
    .withStartupTimeout(START_TIMEOUT_MS)
    .withWaitStrategy(Wait.forListeningPorts())
    .withLogConsumer((stream) => {
      // The log consumer is handed Docker's multiplexed output, already decoded.
      createInterface({ input: stream as Readable }).on("line", log.write);
    });
  if (options.command) container.withCommand([...options.command]);
  if (options.dataPath) {
    const source = await volumeName(start.directory, options.name);
    container.withBindMounts([
      { source, target: options.dataPath, mode: "rw" },
    ]);
  }
  const started = await container.start();
  const stop = async () => {
    await started.stop({ timeout: 5_000 });
  };
  return {
    name: options.name,
    version: options.version,
    source: "docker",
    address: options.address,
    pid: undefined,
    exited: undefined,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Docker publishes on every address of the machine unless it is told one, and components ask nobody who they are. */
async function loopbackContainer({
  image,
  ports,
}: ContainerOptions): Promise<GenericContainer> {
  const { GenericContainer } = await import("testcontainers");
  const bindings = Object.entries(ports).map(([inside, outside]) => [
    `${inside}/tcp`,
    [{ HostIp: "127.0.0.1", HostPort: String(outside) }],
  ]);
  class LoopbackContainer extends GenericContainer {
    protected override async beforeContainerCreated(): Promise<void> {
      this.hostConfig.PortBindings = Object.fromEntries(bindings);
    }
  }
  return new LoopbackContainer(image);
}

/** Removes a run's volume, for a fresh start. */
export async function removeVolume(
  directory: string,
  name: string,
): Promise<void> {
  const { getContainerRuntimeClient } = await import("testcontainers");
  const client = await getContainerRuntimeClient();
  const volume = client.container.dockerode.getVolume(
    await volumeName(directory, name),
  );
  try {
    await volume.remove();
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== 404) throw error;
  }
}

/** Named by a secret of the folder: one that was deleted took the passwords of its old volumes along. */
async function volumeName(directory: string, name: string): Promise<string> {
  const secret = await persistentSecret(resolve(directory), "volumes");
  const hash = createHash("sha256").update(secret).digest("hex");
  return `weft-${hash.slice(0, 12)}-${name}`;
}
