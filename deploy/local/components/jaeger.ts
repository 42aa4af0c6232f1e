import { resolve } from "node:path";
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
import { buildGoTool } from "../tool-chains.ts";
import { jaeger } from "../versions.ts";

const START_DEADLINE_MS = 20_000;
const PROBE_TIMEOUT_MS = 1_000;

export interface Jaeger extends Component {
  /** OTLP over gRPC, as `http://host:port`. */
  readonly otlpUrl: string;
  /** The query API: `<queryUrl>/api/traces/<id>`. The local build has no web pages. */
  readonly queryUrl: string;
}

interface JaegerPorts {
  readonly otlpGrpc: number;
  readonly otlpHttp: number;
  readonly query: number;
}

/**
 * Starts Jaeger with its traces in memory, or answers with `WEFT_JAEGER_OTLP_URL`
 * and `WEFT_JAEGER_QUERY_URL`. `port` is the query API's. Throws ComponentUnavailable.
 */
export async function startJaeger(options: StartOptions): Promise<Jaeger> {
  const config = options.config ?? readLocalConfig();
  if (config.jaeger !== undefined) {
    const { host } = new URL(config.jaeger.queryUrl);
    return {
      ...environmentComponent("jaeger", "unknown", host),
      ...config.jaeger,
    };
  }
  const ports: JaegerPorts = {
    otlpGrpc: await freePort(),
    otlpHttp: await freePort(),
    query: options.port ?? (await freePort()),
  };
  await requireFreePort("jaeger", ports.query);
  const component = (await dockerAnswers(config))
    ? await startInDocker(options, ports)
    : await startLocally(options, config, ports);
  return Object.assign(component, {
    otlpUrl: `http://127.0.0.1:${ports.otlpGrpc}`,
    queryUrl: `http://127.0.0.1:${ports.query}`,
  });
}

async function startLocally(
  options: StartOptions,
  config: LocalConfig,
  ports: JaegerPorts,
): Promise<Component> {
  const program = await buildGoTool(
    {
      cache: config.cacheDirectory,
      onProgress: options.onProgress,
      signal: options.signal,
    },
    {
      name: "jaeger",
      version: jaeger.version,
      package: "github.com/jaegertracing/jaeger/cmd/all-in-one",
      megabytes: 3_000,
    },
  );
  options.onProgress?.("jaeger: starting");
  return startLocalComponent({
    process: {
      name: "jaeger",
      directory: resolve(options.directory),
      command: program,
      args: await flags(ports),
      env: { ...config.baseEnvironment, SPAN_STORAGE_TYPE: "memory" },
      // Its own orderly stop takes more than 5 s, and there is nothing to keep.
      graceMs: 300,
    },
    version: jaeger.version,
    address: `127.0.0.1:${ports.query}`,
    probe: () => answers(`http://127.0.0.1:${ports.query}`),
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
}

async function startInDocker(
  options: StartOptions,
  ports: JaegerPorts,
): Promise<Component> {
  return startContainer(
    {
      name: "jaeger",
      image: jaeger.image,
      version: jaeger.version,
      address: `127.0.0.1:${ports.query}`,
      ports: {
        4317: ports.otlpGrpc,
        4318: ports.otlpHttp,
        16686: ports.query,
      },
      command: settingFlags(),
    },
    options,
  );
}

/** All-in-one opens a listener for each of its old protocols too: none may meet another Jaeger's. */
async function flags(ports: JaegerPorts): Promise<string[]> {
  const listeners = {
    "collector.otlp.grpc.host-port": ports.otlpGrpc,
    "collector.otlp.http.host-port": ports.otlpHttp,
    "query.http-server.host-port": ports.query,
    "query.grpc-server.host-port": await freePort(),
    "collector.grpc-server.host-port": await freePort(),
    "collector.http-server.host-port": await freePort(),
    "admin.http.host-port": await freePort(),
  };
  return [
    ...Object.entries(listeners).map(
      ([name, port]) => `--${name}=127.0.0.1:${port}`,
    ),
    ...settingFlags(),
  ];
}

function settingFlags(): string[] {
  return Object.entries(jaeger.settings).map(([k, v]) => `--${k}=${v}`);
}

async function answers(queryUrl: string): Promise<boolean> {
  const response = await fetch(`${queryUrl}/api/services`, {
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
  });
  await response.body?.cancel();
  return response.ok;
}
