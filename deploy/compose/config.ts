import { isAbsolute } from "node:path";
import { z } from "zod";
import { readLocalConfig, type LocalConfig } from "../local/config.ts";
import type { ServiceAddress } from "../local/mesh-services.ts";

const schema = z.object({
  /** Where everything that containers share is mounted, the same in each. */
  WEFT_STATE_FOLDER: z.string().refine(isAbsolute, "must be absolute"),
  WEFT_POSTGRES_ADDRESS: z.string().min(1).default("postgres:5432"),
  /** Of Postgres's superuser. */
  WEFT_POSTGRES_PASSWORD: z.string().min(1),
  /** Of the object store. */
  WEFT_S3_SECRET_KEY: z.string().min(8),
  WEFT_EDGE_PORT: z.coerce.number().int().min(1).max(65_535).default(8443),
  WEFT_ISSUER_PORT: z.coerce.number().int().min(1).max(65_535).default(8444),
  WEFT_S3_PORT: z.coerce.number().int().min(1).max(65_535).default(7070),
});

/** Every container has a network of its own, so that all services listen on the same ports. */
const GRPC_PORT = 9090;
const CONNECT_PORT = 9091;
const ADMIN_PORT = 9901;

export interface ComposeConfig {
  readonly state: string;
  readonly local: LocalConfig;
  readonly postgresUrl: string;
  readonly kafkaBrokers: readonly string[];
  readonly redisUrl: string;
  readonly otlpUrl: string;
  readonly objectStore: {
    readonly url: string;
    /** As this machine's users reach it. */
    readonly publicUrl: string;
    readonly secretAccessKey: string;
  };
  readonly paymentProviderUrl: string;
  readonly issuer: {
    readonly port: number;
    /** As the edge reaches it. */
    readonly jwksUrl: string;
  };
  readonly edge: {
    readonly port: number;
    readonly adminPort: number;
    /** As containers reach it. */
    readonly url: string;
  };
}

/** The names are those of compose.yaml. Throws with every fault of the environment. */
export function readComposeConfig(env: NodeJS.ProcessEnv): ComposeConfig {
  const read = schema.parse(env);
  const password = encodeURIComponent(read.WEFT_POSTGRES_PASSWORD);
  const port = read.WEFT_ISSUER_PORT;
  return {
    state: read.WEFT_STATE_FOLDER,
    // Services get what is theirs and nothing of the container that prepares it.
    local: { ...readLocalConfig(env), baseEnvironment: {} },
    postgresUrl: `postgresql://postgres:${password}@${read.WEFT_POSTGRES_ADDRESS}/postgres`,
    kafkaBrokers: ["kafka:9092"],
    redisUrl: "redis://redis:6379",
    otlpUrl: "http://jaeger:4317",
    objectStore: {
      url: "http://object-store:7070",
      publicUrl: `http://localhost:${read.WEFT_S3_PORT}`,
      secretAccessKey: read.WEFT_S3_SECRET_KEY,
    },
    paymentProviderUrl: "http://payment-provider:9090",
    issuer: {
      port,
      jwksUrl: `https://issuer:${port}/jwks`,
    },
    edge: {
      port: read.WEFT_EDGE_PORT,
      adminPort: ADMIN_PORT,
      url: `https://edge:${read.WEFT_EDGE_PORT}`,
    },
  };
}

export function addressOf(service: string): ServiceAddress {
  return { host: service, grpcPort: GRPC_PORT, connectPort: CONNECT_PORT };
}
