import { mkdir } from "node:fs/promises";
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
import { freePort } from "../ports.ts";
import { persistentSecret } from "../secrets.ts";
import { buildGoTool } from "../tool-chains.ts";
import { objectStore } from "../versions.ts";

const START_DEADLINE_MS = 20_000;
const PROBE_TIMEOUT_MS = 1_000;

export interface ObjectStore extends Component {
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Starts an S3 server on the folder `<directory>/s3`, or answers with `WEFT_S3_URL`. Throws ComponentUnavailable. */
export async function startObjectStore(
  options: StartOptions,
): Promise<ObjectStore> {
  const config = options.config ?? readLocalConfig();
  const { region, accessKeyId } = objectStore;
  if (config.s3 !== undefined) {
    const { host } = new URL(config.s3.url);
    return {
      ...environmentComponent("s3", "unknown", host),
      region,
      ...config.s3,
    };
  }
  const port = options.port ?? (await freePort());
  await requireFreePort("s3", port);
  const secretAccessKey = await persistentSecret(
    resolve(options.directory),
    "s3",
  );
  const component = (await dockerAnswers(config))
    ? await startInDocker(options, port, secretAccessKey)
    : await startLocally(options, config, port, secretAccessKey);
  const url = `http://127.0.0.1:${port}`;
  return Object.assign(component, {
    url,
    region,
    accessKeyId,
    secretAccessKey,
  });
}

async function startLocally(
  options: StartOptions,
  config: LocalConfig,
  port: number,
  secret: string,
): Promise<Component> {
  const directory = resolve(options.directory);
  const program = await buildGoTool(
    {
      cache: config.cacheDirectory,
      onProgress: options.onProgress,
      signal: options.signal,
    },
    {
      name: "versitygw",
      version: objectStore.version,
      package: "github.com/versity/versitygw/cmd/versitygw",
      megabytes: 2_000,
    },
  );
  const data = join(directory, "s3", "data");
  const metadata = join(directory, "s3", "metadata");
  await mkdir(data, { recursive: true });
  await mkdir(metadata, { recursive: true });
  options.onProgress?.("s3: starting");
  return startLocalComponent({
    process: {
      name: "s3",
      directory,
      command: program,
      // A sidecar folder holds the metadata: not every file system has extended attributes.
      args: [
        "--quiet",
        `--port=127.0.0.1:${port}`,
        "posix",
        `--sidecar=${metadata}`,
        data,
      ],
      env: { ...config.baseEnvironment, ...credentials(secret) },
    },
    version: objectStore.version,
    address: `127.0.0.1:${port}`,
    probe: () => answers(`http://127.0.0.1:${port}`),
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
}

async function startInDocker(
  options: StartOptions,
  port: number,
  secret: string,
): Promise<Component> {
  return startContainer(
    {
      name: "s3",
      image: objectStore.image,
      version: objectStore.version,
      address: `127.0.0.1:${port}`,
      ports: { 7070: port },
      environment: credentials(secret),
      command: ["--quiet", "posix", "--nometa", "/data"],
      dataPath: "/data",
    },
    options,
  );
}

/** By the environment: arguments can be read by every user of the machine. */
function credentials(secret: string): Record<string, string> {
  return {
    ROOT_ACCESS_KEY: objectStore.accessKeyId,
    ROOT_SECRET_KEY: secret,
    VGW_REGION: objectStore.region,
  };
}

/** Any HTTP answer will do: without a signature it is a refusal. */
async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
  });
  await response.body?.cancel();
  return true;
}
