import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ComponentUnavailable, type StartOptions } from "../component.ts";
import { freePort } from "../ports.ts";
import { explainEnd, startProcess } from "../process.ts";
import { kafka } from "../versions.ts";

/** Writes `server.properties` for a port of this machine and returns its path. */
export async function writeProperties(
  directory: string,
  port: number,
): Promise<string> {
  const folder = join(directory, "kafka");
  await mkdir(folder, { recursive: true });
  const controller = await freePort();
  const settings = {
    ...kafka.settings,
    ...listeners("127.0.0.1", port, controller, `127.0.0.1:${port}`),
    "log.dirs": join(folder, "logs"),
  };
  const file = join(folder, "server.properties");
  const lines = Object.entries(settings).map(([k, v]) => `${k}=${v}`);
  await writeFile(file, lines.join("\n") + "\n");
  return file;
}

export function listeners(
  host: string,
  port: number,
  controllerPort: number,
  advertised: string,
): Record<string, string> {
  return {
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://${advertised}`,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
  };
}

/** Writes the node's identity into its log folder, once; the id outlives a killed format. */
export async function formatStorage(wanted: {
  directory: string;
  java: string;
  jvm: readonly string[];
  properties: string;
  options: StartOptions;
}): Promise<void> {
  const formatted = join(wanted.directory, "kafka", "logs", "meta.properties");
  if (existsSync(formatted)) return;
  wanted.options.onProgress?.("kafka: formatting its storage");
  const clusterId = await persistentClusterId(wanted.directory);
  const tool = await startProcess({
    name: "kafka-format",
    directory: wanted.directory,
    command: wanted.java,
    args: [
      ...wanted.jvm,
      "kafka.tools.StorageTool",
      "format",
      "--ignore-formatted",
      "--cluster-id",
      clusterId,
      "--config",
      wanted.properties,
    ],
  });
  const exit = await tool.exited;
  if (exit.code === 0) return;
  throw new ComponentUnavailable(
    "kafka",
    `its storage could not be formatted (${explainEnd(tool, exit)})`,
    `Its log is ${tool.logFile}.`,
  );
}

async function persistentClusterId(directory: string): Promise<string> {
  const file = join(directory, "kafka", "cluster-id");
  if (existsSync(file)) return readFile(file, "utf8");
  // Kafka's ids are 16 bytes in base64url, and an argument may not begin with a dash.
  const id = `w${randomBytes(16).toString("base64url").slice(1)}`;
  await writeFile(file, id);
  return id;
}
