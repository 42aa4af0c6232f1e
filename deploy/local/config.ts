import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";

const otlpUrl = z.url({ protocol: /^https?$/ });

const switched = z.enum(["on", "off"]);

const variables = z.object({
  WEFT_POSTGRES_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  WEFT_KAFKA_BROKERS: z
    .string()
    .regex(/^[^,\s:]+:\d+(,[^,\s:]+:\d+)*$/, "expected host:port[,host:port]")
    .optional(),
  WEFT_REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  WEFT_S3_URL: z.url({ protocol: /^https?$/ }).optional(),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  WEFT_SPARK_REMOTE: z
    .string()
    .regex(/^sc:\/\/[^/\s]+(\/.*)?$/, "expected sc://host:port")
    .optional(),
  WEFT_JAEGER_OTLP_URL: z.url({ protocol: /^https?$/ }).optional(),
  WEFT_JAEGER_QUERY_URL: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: otlpUrl.optional(),
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: otlpUrl.optional(),
  OTEL_TRACES_SAMPLER: z
    .enum(["parentbased_always_on", "parentbased_traceidratio"])
    .default("parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  WEFT_ISSUERS_FILE: z.string().optional(),
  WEFT_DEVELOPMENT_ISSUER: switched.default("on"),
  WEFT_RATE_LIMITS_FILE: z
    .string()
    .default(join(import.meta.dirname, "..", "rate-limits.yaml")),
  WEFT_CORS_ORIGINS: z
    .string()
    .regex(
      /^https?:\/\/[^\s,/*]+(,https?:\/\/[^\s,/*]+)*$/,
      "expected origins such as https://shop.example,https://admin.example",
    )
    .optional(),
  WEFT_CORS_LOCALHOST: switched.default("on"),
  WEFT_STRICT_TRANSPORT_SECONDS: z.coerce.number().int().min(0).default(0),
  WEFT_DOCKER: z.enum(["auto", "off"]).default("auto"),
  XDG_CACHE_HOME: z.string().optional(),
  LOG_LEVEL: z.string().default("info"),
});

const schema = variables.refine(
  (env) =>
    env.WEFT_DEVELOPMENT_ISSUER !== "off" ||
    env.WEFT_ISSUERS_FILE !== undefined,
  {
    path: ["WEFT_DEVELOPMENT_ISSUER"],
    message: "without it WEFT_ISSUERS_FILE has to name whose tokens are taken",
    // Beside the faults of other variables, not after they are mended.
    when: () => true,
  },
);

/** Where components are found, and the settings of a start on one machine. */
export interface LocalConfig {
  readonly postgresUrl: string | undefined;
  readonly kafkaBrokers: readonly string[] | undefined;
  readonly redisUrl: string | undefined;
  readonly s3:
    { url: string; accessKeyId: string; secretAccessKey: string } | undefined;
  /** A Spark Connect server, as Spark's own clients name it. */
  readonly sparkRemote: string | undefined;
  readonly jaeger: { otlpUrl: string; queryUrl: string } | undefined;
  /** A collector of your own, by OTLP over gRPC: Jaeger takes traces only. */
  readonly otlpMetricsUrl: string | undefined;
  /** Where the edge's access log goes besides its file. */
  readonly otlpLogsUrl: string | undefined;
  /** The share (0 to 1) of calls that the edge has traced; what is behind it follows. */
  readonly tracedShare: number;
  /** A file of issuers whose tokens the edge takes. */
  readonly issuersFile: string | undefined;
  /** Whether it takes the development issuer's too, to whom any password will do; `false` only beside a file of others. */
  readonly developmentIssuer: boolean;
  /** The numbers behind the rate classes of the contracts. */
  readonly rateLimitsFile: string;
  /** Origins of browser clients. */
  readonly corsOrigins: readonly string[];
  /** Whether pages of this machine are browser clients too, whatever their port. */
  readonly corsLocalhost: boolean;
  /** How long browsers come back by HTTPS only; 0 says nothing of it, for they would take it for every port of `localhost`. */
  readonly strictTransportSeconds: number;
  /** Whether a Docker engine is asked at all: not where none has left a trace. */
  readonly docker: boolean;
  /** Installed tools; shared by all checkouts of this user. */
  readonly cacheDirectory: string;
  readonly logLevel: string;
  /** What every child process needs to run at all. */
  readonly baseEnvironment: Readonly<Record<string, string>>;
}

/** Names every variable that is at fault. */
export class InvalidEnvironment extends Error {
  constructor(faults: readonly string[]) {
    super(`the environment is not valid: ${faults.join("; ")}`);
    this.name = "InvalidEnvironment";
  }
}

/** The only reader of the environment in `deploy/local`; an empty variable is one that is not set. Reports every fault at once. */
export function readLocalConfig(
  environment: NodeJS.ProcessEnv = process.env,
): LocalConfig {
  const parsed = schema.safeParse(
    // Compose passes what nobody has set as an empty text.
    Object.fromEntries(
      Object.entries(environment).filter(([, value]) => value !== ""),
    ),
  );
  if (!parsed.success) {
    const faults = parsed.error.issues.map(
      (issue) => `${issue.path.join(".")}: ${issue.message}`,
    );
    throw new InvalidEnvironment(faults);
  }
  const env = parsed.data;
  return {
    postgresUrl: env.WEFT_POSTGRES_URL,
    kafkaBrokers: env.WEFT_KAFKA_BROKERS?.split(","),
    redisUrl: env.WEFT_REDIS_URL,
    s3: env.WEFT_S3_URL
      ? {
          url: env.WEFT_S3_URL,
          accessKeyId: env.AWS_ACCESS_KEY_ID ?? "",
          secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? "",
        }
      : undefined,
    sparkRemote: env.WEFT_SPARK_REMOTE,
    jaeger:
      env.WEFT_JAEGER_OTLP_URL && env.WEFT_JAEGER_QUERY_URL
        ? {
            otlpUrl: env.WEFT_JAEGER_OTLP_URL,
            queryUrl: env.WEFT_JAEGER_QUERY_URL,
          }
        : undefined,
    otlpMetricsUrl: env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
    otlpLogsUrl: env.OTEL_EXPORTER_OTLP_LOGS_ENDPOINT,
    tracedShare:
      env.OTEL_TRACES_SAMPLER === "parentbased_traceidratio"
        ? env.OTEL_TRACES_SAMPLER_ARG
        : 1,
    issuersFile: env.WEFT_ISSUERS_FILE,
    developmentIssuer: env.WEFT_DEVELOPMENT_ISSUER === "on",
    rateLimitsFile: resolve(env.WEFT_RATE_LIMITS_FILE),
    corsOrigins: env.WEFT_CORS_ORIGINS?.split(",") ?? [],
    corsLocalhost: env.WEFT_CORS_LOCALHOST === "on",
    strictTransportSeconds: env.WEFT_STRICT_TRANSPORT_SECONDS,
    docker: env.WEFT_DOCKER === "auto" && mayHaveDocker(environment),
    cacheDirectory: join(
      env.XDG_CACHE_HOME ?? join(homedir(), ".cache"),
      "weft",
    ),
    logLevel: env.LOG_LEVEL,
    baseEnvironment: pick(environment, ["PATH", "HOME", "TMPDIR", "TZ"]),
  };
}

/**
 * testcontainers looks in the same places, and costs 0.8 s and 30 MB to load:
 * too much for the answer that nothing is there.
 */
function mayHaveDocker(environment: NodeJS.ProcessEnv): boolean {
  const home = homedir();
  const runtime = environment["XDG_RUNTIME_DIR"];
  return (
    environment["DOCKER_HOST"] !== undefined ||
    existsSync(join(home, ".testcontainers.properties")) ||
    [
      "/var/run/docker.sock",
      join(home, ".docker", "run", "docker.sock"),
      join(home, ".docker", "desktop", "docker.sock"),
      ...(runtime === undefined ? [] : [join(runtime, "docker.sock")]),
    ].some(existsSync)
  );
}

function pick(
  environment: NodeJS.ProcessEnv,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
