import { z } from "zod";
import {
  databaseSettings,
  kafkaSettings,
  readConfig,
  secret,
  serviceSettings,
} from "../platform/runtime/config.ts";

const httpUrl = z.url({ protocol: /^https?$/ });
const count = (most: number) => z.coerce.number().int().min(1).max(most);

/** @throws ConfigError that names every variable at fault. */
export function readFilesConfig(env: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...serviceSettings,
      ...databaseSettings,
      ...kafkaSettings,
      WEFT_PAGE_TOKEN_SECRET: secret(32),
      FILES_S3_ENDPOINT: httpUrl,
      /** The address by which users reach the store, if it is another than the one by which services do. */
      FILES_S3_PUBLIC_ENDPOINT: httpUrl.optional(),
      FILES_S3_REGION: z.string().min(1).default("us-east-1"),
      FILES_S3_BUCKET: z
        .string()
        .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "is no bucket's name")
        .default("weft-files"),
      FILES_S3_ACCESS_KEY_ID: z.string().min(1),
      FILES_S3_SECRET_ACCESS_KEY: secret(),
      FILES_MAX_BYTES: z.coerce
        .bigint()
        .min(1n)
        .default(5n * 1024n ** 4n),
      /** Media types that are taken, a comma list; `text/*` stands for all of its kind, and `*` for all. */
      FILES_CONTENT_TYPES: z
        .string()
        .default(
          "text/csv,text/plain,text/tab-separated-values,application/json,application/x-ndjson,application/octet-stream," +
            "application/gzip,application/zstd,application/pdf,application/zip,image/png,image/jpeg,image/gif,image/webp,video/mp4",
        )
        .transform((list) => list.split(",").map((item) => item.trim())),
      FILES_PER_OWNER: count(1_000_000).default(10_000),
      FILES_UPLOADS_PER_OWNER: count(10_000).default(100),
      FILES_UPLOAD_URL_SECONDS: count(43_200).default(300),
      FILES_UPLOAD_TTL_SECONDS: count(30 * 86_400).default(86_400),
      /** How long a file may outlive its end, about. */
      FILES_SWEEP_INTERVAL_MS: z.coerce
        .number()
        .int()
        .min(10)
        .max(600_000)
        .default(30_000),
    },
    env,
  );
}
