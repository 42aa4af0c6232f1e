import { fork, spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { freePort } from "../../deploy/local/ports.ts";
import type { CertificateFiles } from "../../deploy/local/certificate-files.ts";

export interface ServiceProcess extends AsyncDisposable {
  readonly pid: number;
  readonly grpcPort: number;
  readonly connectPort: number;
  /** SIGKILL, and waits for its end. */
  kill(): Promise<void>;
  /** SIGTERM, and waits until it has drained and ended. Returns its exit code; null where it took too long and was killed. */
  terminate(): Promise<number | null>;
}

export interface ServiceProcessOptions {
  readonly service: string;
  readonly ca: string;
  readonly files: CertificateFiles;
  readonly env: Readonly<Record<string, string>>;
  /** Free ones when left out. */
  readonly ports?: { readonly grpcPort: number; readonly connectPort: number };
  readonly logFile?: string;
  /** Folders that only the process sees as disks of their own, by the options of `mount -t tmpfs`: `size=4m`. */
  readonly disks?: Readonly<Record<string, string>>;
}

/** A service of the mesh as a process of its own; resolves when it is ready. */
export async function startServiceProcess(
  options: ServiceProcessOptions,
): Promise<ServiceProcess> {
  const { grpcPort, connectPort } = options.ports ?? {
    grpcPort: await freePort(),
    connectPort: await freePort(),
  };
  const child = startNode(options, {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: {
      PATH: process.env["PATH"] ?? "",
      WEFT_HOST: "127.0.0.1",
      WEFT_GRPC_PORT: String(grpcPort),
      WEFT_CONNECT_PORT: String(connectPort),
      WEFT_TLS_CA: options.ca,
      WEFT_TLS_CERT: options.files.cert,
      WEFT_TLS_KEY: options.files.key,
      WEFT_PAGE_TOKEN_SECRET: "a secret of 32 characters at least",
      WEFT_DRAIN_SECONDS: "3",
      ...options.env,
    },
  });
  let said = "";
  const log =
    options.logFile && createWriteStream(options.logFile, { flags: "a" });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (text: Buffer) => {
      said = (said + text.toString()).slice(-20_000);
      if (log) log.write(text);
    });
  }
  const ended = once(child, "exit");
  await Promise.race([
    once(child, "message"),
    ended.then(() => {
      throw new Error(`${options.service} ended while starting: ${said}`);
    }),
  ]);
  const { pid } = child;
  if (pid === undefined) throw new Error("a process that is ready has a pid");
  const terminate = async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 8_000);
    await ended;
    clearTimeout(late);
    return child.exitCode;
  };
  return {
    pid,
    grpcPort,
    connectPort,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    terminate,
    async [Symbol.asyncDispose]() {
      await terminate();
    },
  };
}

interface NodeOptions {
  readonly stdio: StdioOptions;
  readonly env: Readonly<Record<string, string>>;
}

function startNode(
  { service, disks }: ServiceProcessOptions,
  options: NodeOptions,
) {
  const main = `services/${service}/main.ts`;
  if (!disks) return fork(main, [], options);
  const mounts = Object.entries(disks).map(
    ([folder, limits]) => `mount -t tmpfs -o ${limits} tmpfs '${folder}' && `,
  );
  // A name space of mounts needs one of users, where we are not root.
  const ownMounts = ["--user", "--map-root-user", "--mount"];
  const script = `${mounts.join("")}exec "$0" "$1"`;
  return spawn(
    "unshare",
    [...ownMounts, "sh", "-c", script, process.execPath, main],
    options,
  );
}
