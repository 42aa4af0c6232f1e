import { z } from "zod";

const schema = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: z.coerce.number().int().min(1).max(65_535),
  /** As it stands in tokens; the documents it publishes name its endpoints below it. */
  ISSUER_URL: z.url({ protocol: /^https$/ }),
  DATA_DIR: z.string().min(1),
  CLIENT_SECRET: z.string().min(32),
  TLS_CERT: z.string().min(1),
  TLS_KEY: z.string().min(1),
  /** How long a user has to approve a terminal. */
  DEVICE_CODE_SECONDS: z.coerce.number().int().min(1).max(3_600).default(600),
});

export interface IssuerConfig {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly dataDir: string;
  readonly clientSecret: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly deviceCodeSeconds: number;
}

/** @throws ZodError that names every fault. */
export function readIssuerConfig(env: NodeJS.ProcessEnv): IssuerConfig {
  const read = schema.parse(env);
  return {
    host: read.HOST,
    port: read.PORT,
    url: read.ISSUER_URL,
    dataDir: read.DATA_DIR,
    clientSecret: read.CLIENT_SECRET,
    certFile: read.TLS_CERT,
    keyFile: read.TLS_KEY,
    deviceCodeSeconds: read.DEVICE_CODE_SECONDS,
  };
}
