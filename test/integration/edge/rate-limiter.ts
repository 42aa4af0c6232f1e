import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ALLOCATOR_SETTINGS } from "../../../deploy/local/allocator.ts";
import type { CertificateFiles } from "../../../deploy/local/certificate-files.ts";
import { startProcess } from "../../../deploy/local/process.ts";

export interface RateLimiter extends AsyncDisposable {
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends it without a word. */
  kill(): Promise<void>;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** Another process, where the one before was. */
  start(): Promise<void>;
}

/** The rate-limit service as a process of its own, ready. */
export async function startRateLimiter(options: {
  readonly directory: string;
  readonly rules: string;
  readonly redisUrl: string;
  readonly ca: string;
  readonly files: CertificateFiles;
  readonly grpcPort: number;
  /** Long if left out, so that a busy machine is not taken for a Redis that is away. */
  readonly redisTimeoutMs?: number;
}): Promise<RateLimiter> {
  const rulesFile = join(options.directory, "rate-limits.yaml");
  await writeFile(rulesFile, options.rules);
  const launch = async () => {
    const launched = await startProcess({
      name: "ratelimit",
      directory: options.directory,
      command: process.execPath,
      args: ["services/ratelimit/main.ts"],
      ipc: true,
      env: {
        ...ALLOCATOR_SETTINGS,
        PATH: process.env["PATH"] ?? "",
        WEFT_HOST: "127.0.0.1",
        WEFT_GRPC_PORT: String(options.grpcPort),
        WEFT_TLS_CA: options.ca,
        WEFT_TLS_CERT: options.files.cert,
        WEFT_TLS_KEY: options.files.key,
        REDIS_URL: options.redisUrl,
        RATELIMIT_RULES_FILE: rulesFile,
        RATELIMIT_REDIS_TIMEOUT_MS: String(options.redisTimeoutMs ?? 1_000),
      },
    });
    await launched.ready;
    return launched;
  };
  let service = await launch();
  return {
    get pid() {
      return service.pid;
    },
    async kill() {
      process.kill(service.pid, "SIGKILL");
      await service.exited;
    },
    async stop() {
      await service.stop();
    },
    async start() {
      service = await launch();
    },
    async [Symbol.asyncDispose]() {
      await service.stop();
    },
  };
}
