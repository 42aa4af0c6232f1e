import { join, resolve } from "node:path";
import { Kafka as KafkaClient, logLevel } from "kafkajs";
import { stopIdleSpin } from "../../../services/platform/events/kafkajs-idle-fix.ts";
import {
  environmentComponent,
  requireFreePort,
  startLocalComponent,
  type Component,
  type StartOptions,
} from "../component.ts";
import { readLocalConfig, type LocalConfig } from "../config.ts";
import { dockerAnswers, startContainer } from "../docker.ts";
import { installOnce, runStep, type InstallContext } from "../install.ts";
import { freePort } from "../ports.ts";
import { findJava, findMaven } from "../tool-chains.ts";
import { kafka } from "../versions.ts";
import { waitUntil } from "../wait.ts";
import { formatStorage, listeners, writeProperties } from "./kafka-storage.ts";

const START_DEADLINE_MS = 60_000;

export interface Kafka extends Component {
  /** host:port of every bootstrap broker. */
  readonly brokers: readonly string[];
}

/**
 * Starts a single Kafka 4.1 node with the logs of `<directory>/kafka`, or
 * answers with the brokers of `WEFT_KAFKA_BROKERS`. Throws ComponentUnavailable.
 */
export async function startKafka(options: StartOptions): Promise<Kafka> {
  const config = options.config ?? readLocalConfig();
  if (config.kafkaBrokers !== undefined) {
    const address = config.kafkaBrokers.join(",");
    return {
      ...environmentComponent("kafka", "unknown", address),
      brokers: config.kafkaBrokers,
    };
  }
  const port = options.port ?? (await freePort());
  await requireFreePort("kafka", port);
  return (await dockerAnswers(config))
    ? startInDocker(options, port)
    : startLocally(options, config, port);
}

async function startLocally(
  options: StartOptions,
  config: LocalConfig,
  port: number,
): Promise<Kafka> {
  const directory = resolve(options.directory);
  const context: InstallContext = {
    cache: config.cacheDirectory,
    onProgress: options.onProgress,
    signal: options.signal,
  };
  const java = await findJava(context);
  const jars = await installJars(context);
  const properties = await writeProperties(directory, port);
  const jvm = [
    ...kafka.javaOptions,
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-cp",
    `${jars}/*`,
  ];
  await formatStorage({ directory, java, jvm, properties, options });
  options.onProgress?.("kafka: starting");
  const broker = `127.0.0.1:${port}`;
  const component = await startLocalComponent({
    process: {
      name: "kafka",
      directory,
      command: java,
      args: [...jvm, "kafka.Kafka", properties],
      graceMs: 4_000,
    },
    version: kafka.version,
    address: broker,
    probe: () => answers(broker),
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
  return Object.assign(component, { brokers: [broker] });
}

async function startInDocker(
  options: StartOptions,
  port: number,
): Promise<Kafka> {
  const broker = `127.0.0.1:${port}`;
  const container = await startContainer(
    {
      name: "kafka",
      image: kafka.image,
      version: kafka.version,
      address: broker,
      ports: { 9092: port },
      environment: containerEnvironment({
        ...kafka.settings,
        ...listeners("0.0.0.0", 9092, 9093, broker),
        "log.dirs": "/var/lib/kafka/data",
      }),
      dataPath: "/var/lib/kafka/data",
    },
    options,
  );
  await waitUntil(() => answers(broker), {
    what: "kafka to answer",
    deadlineMs: START_DEADLINE_MS,
    signal: options.signal,
  });
  return Object.assign(container, { brokers: [broker] });
}

async function installJars(context: InstallContext): Promise<string> {
  return installOnce(context, {
    component: "kafka",
    folder: `kafka-${kafka.version}`,
    needsMegabytes: 200,
    fill: async (staging) =>
      runStep(context, {
        component: "kafka",
        doing: `fetching Kafka ${kafka.version} from Maven Central`,
        command: await findMaven(context),
        args: [
          "--batch-mode",
          "--no-transfer-progress",
          "--file",
          join(import.meta.dirname, "..", "tools", "kafka", "pom.xml"),
          "dependency:copy-dependencies",
          "-DincludeScope=runtime",
          `-DoutputDirectory=${staging}`,
        ],
      }),
  });
}

/** The image reads `KAFKA_A_B` as `a.b`. */
function containerEnvironment(
  settings: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll(".", "_")}`,
      value,
    ]),
  );
}

async function answers(broker: string): Promise<boolean> {
  // Its timer with a negative delay would put a warning of Node's on the user's screen.
  stopIdleSpin();
  const client = new KafkaClient({
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    requestTimeout: 2_000,
    retry: { retries: 0 },
  });
  const admin = client.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } finally {
    await admin.disconnect();
  }
}
