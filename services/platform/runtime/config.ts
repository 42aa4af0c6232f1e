import { readFileSync } from "node:fs";
import { z } from "zod";
import { logLevels } from "./logger.ts";
import { watchedTlsFiles, type TlsFiles } from "./tls-files.ts";

/** A value that does not print: not by a log, not by JSON, not by a template string. Read it with `reveal`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }
}

/** The environment does not fit the schema. The message lists every fault at once, a line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads a process's configuration from its environment, once, before anything listens.
 *
 * @throws ConfigError that names every variable at fault.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: NodeJS.ProcessEnv,
): z.infer<z.ZodObject<Shape>> {
  const result = z.object(shape).safeParse(env);
  if (!result.success) {
    const faults = result.error.issues.map(
      (issue) => `  ${issue.path.join(".")}: ${issue.message}`,
    );
    throw new ConfigError(`The configuration is faulty:\n${faults.join("\n")}`);
  }
  return result.data;
}

/** A port to listen on; 0 takes a free one. */
export const port = z.coerce.number().int().min(0).max(65535);

/** `host:port` of another service's gRPC port. */
export const address = z
  .string()
  .regex(/^[^\s/:]+:\d{1,5}$/, "must be host:port");

/** A comma list of `host:port`. */
export const addresses = z
  .string()
  .transform((list) => list.split(",").map((item) => item.trim()))
  .pipe(z.array(address).min(1));

/** A value that must not print. */
export function secret(minLength = 1): z.ZodType<Secret, string> {
  return z
    .string()
    .min(minLength, `must have at least ${minLength} characters`)
    .transform((value) => new Secret(value));
}

const pemFile = z.string().transform((path, ctx) => {
  try {
    readFileSync(path);
    return path;
  } catch (error) {
    ctx.addIssue({
      code: "custom",
      message: `can't be read: ${error instanceof Error ? error.message : "unknown"}`,
    });
    return z.NEVER;
  }
});

/** What every service reads: where it listens, who it is (mTLS), how much it logs, where its telemetry goes. */
export const serviceSettings = {
  WEFT_HOST: z.string().default("0.0.0.0"),
  WEFT_GRPC_PORT: port.default(0),
  WEFT_CONNECT_PORT: port.default(0),
  WEFT_TLS_CA: pemFile,
  WEFT_TLS_CERT: pemFile,
  WEFT_TLS_KEY: pemFile,
};

/** What a service with a database reads. */
export const databaseSettings = {
  DATABASE_URL: secret(),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(16),
};

/** What a service with events reads. */
export const kafkaSettings = {
  KAFKA_BROKERS: addresses,
};

/** What every process reads, before its service's own configuration. */
export const processSettings = {
  LOG_LEVEL: z.enum(logLevels).default("info"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: z.url().optional(),
  WEFT_DRAIN_SECONDS: z.coerce.number().min(1).max(300).default(8),
};

export type { TlsFiles };

/** The part of a service's settings that its servers and clients take for mTLS; they follow the files when those are replaced. */
export function tlsFiles(settings: {
  WEFT_TLS_CA: string;
  WEFT_TLS_CERT: string;
  WEFT_TLS_KEY: string;
}): TlsFiles {
  return watchedTlsFiles({
    ca: settings.WEFT_TLS_CA,
    cert: settings.WEFT_TLS_CERT,
    key: settings.WEFT_TLS_KEY,
  });
}
