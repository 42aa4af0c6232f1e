import { join, resolve } from "node:path";
import {
  environmentComponent,
  requireFreePort,
  startLocalComponent,
  type Component,
  type StartOptions,
} from "../component.ts";
import { readLocalConfig, type LocalConfig } from "../config.ts";
import type { InstallContext } from "../install.ts";
import { freePort, isPortFree } from "../ports.ts";
import { findJava, installPythonPackage } from "../tool-chains.ts";
import { spark } from "../versions.ts";

const START_DEADLINE_MS = 90_000;

export interface Spark extends Component {
  /** As Spark's own clients name a server: `sc://host:port`. */
  readonly remote: string;
}

export interface SparkOptions extends StartOptions {
  /** Spark's own settings, besides those of `versions.ts`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Starts a Spark Connect server that works in one process, or answers with that of `WEFT_SPARK_REMOTE`. It reads and writes
 * the folders of this machine, so it is a local process even where Docker is. Throws ComponentUnavailable.
 */
export async function startSpark(options: SparkOptions): Promise<Spark> {
  const config = options.config ?? readLocalConfig();
  if (config.sparkRemote !== undefined) {
    return {
      ...environmentComponent(
        "spark",
        "unknown",
        addressOf(config.sparkRemote),
      ),
      remote: config.sparkRemote,
    };
  }
  const port = options.port ?? (await freePort());
  await requireFreePort("spark", port);
  return startLocally(options, config, port);
}

async function startLocally(
  options: SparkOptions,
  config: LocalConfig,
  port: number,
): Promise<Spark> {
  const directory = resolve(options.directory);
  const context: InstallContext = {
    cache: config.cacheDirectory,
    onProgress: options.onProgress,
    signal: options.signal,
  };
  const java = await findJava(context);
  const jars = await installSpark(context);
  options.onProgress?.("spark: starting");
  const address = `127.0.0.1:${port}`;
  const component = await startLocalComponent({
    process: {
      name: "spark",
      directory,
      command: java,
      args: [
        ...spark.javaOptions,
        "-cp",
        join(jars, "*"),
        "org.apache.spark.deploy.SparkSubmit",
        "--class",
        "org.apache.spark.sql.connect.service.SparkConnectServer",
        ...settingsOf(directory, port, options.settings ?? {}),
        "spark-internal",
      ],
      graceMs: 4_000,
    },
    version: spark.version,
    address,
    // It listens when it is ready.
    probe: async () => !(await isPortFree(port)),
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
  return Object.assign(component, { remote: `sc://${address}` });
}

/** The folder of Spark's jars, which PyPI's package brings. */
export async function installSpark(context: InstallContext): Promise<string> {
  const site = await installPythonPackage(context, {
    component: "spark",
    requirement: `pyspark==${spark.version}`,
    needsMegabytes: 2_000,
  });
  return join(site, "pyspark", "jars");
}

function settingsOf(
  directory: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): string[] {
  const all = {
    ...spark.settings,
    "spark.connect.grpc.binding.port": String(port),
    "spark.local.dir": join(directory, "spark", "local"),
    "spark.sql.warehouse.dir": join(directory, "spark", "warehouse"),
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => [
    "--conf",
    `${name}=${value}`,
  ]);
}

/** Without what may be secret in it. */
function addressOf(remote: string): string {
  return remote.replace(/^sc:\/\//, "").replace(/\/.*$/, "");
}
