import { z } from "zod";

const schema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535),
  HOST: z.string().min(1).default("127.0.0.1"),
  DATA_DIR: z.string().min(1),
  LATE_MS: z.coerce.number().int().min(1).max(60_000).default(8_000),
  WEBHOOK_CA_FILE: z.string().min(1).optional(),
});

export interface ProviderConfig {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly lateMs: number;
  /** Of the authority whose certificates webhooks' endpoints show; one that Node knows when left out. */
  readonly webhookCaFile: string | undefined;
}

/** @throws ZodError that names every fault. */
export function readProviderConfig(env: NodeJS.ProcessEnv): ProviderConfig {
  const read = schema.parse(env);
  return {
    port: read.PORT,
    host: read.HOST,
    dataDir: read.DATA_DIR,
    lateMs: read.LATE_MS,
    webhookCaFile: read.WEBHOOK_CA_FILE,
  };
}
