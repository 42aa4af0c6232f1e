import { z } from "zod";

const schema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535),
  HOST: z.string().min(1).default("127.0.0.1"),
  DATA_DIR: z.string().min(1),
  LATE_MS: z.coerce.number().int().min(1).max(60_000).default(8_000),
});

export interface ProviderConfig {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly lateMs: number;
}

/** @throws ZodError that names every fault. */
export function readProviderConfig(env: NodeJS.ProcessEnv): ProviderConfig {
  const { PORT, HOST, DATA_DIR, LATE_MS } = schema.parse(env);
  return { port: PORT, host: HOST, dataDir: DATA_DIR, lateMs: LATE_MS };
}
