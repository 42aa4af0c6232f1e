import { fileURLToPath } from "node:url";
import { z } from "zod";
import {
  databaseSettings,
  kafkaSettings,
  readConfig,
  secret,
  serviceSettings,
} from "../platform/runtime/config.ts";

const ownContracts = fileURLToPath(
  new URL("../../gen/edge/weft.binpb", import.meta.url),
);

/** @throws ConfigError that names every variable at fault. */
export function readEventsConfig(env: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...serviceSettings,
      ...databaseSettings,
      ...kafkaSettings,
      WEFT_PAGE_TOKEN_SECRET: secret(32),
      DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(8),
      /** A FileDescriptorSet with the contracts of all events, to show and check payloads with. */
      EVENTS_DESCRIPTORS: z.string().default(ownContracts),
      /** How often to look for dead-letter topics of new groups, in milliseconds. */
      EVENTS_DISCOVER_MS: z.coerce
        .number()
        .int()
        .min(100)
        .max(600_000)
        .default(10_000),
      /** How long a redriven or discarded dead letter stays listed. */
      EVENTS_RETENTION_DAYS: z.coerce.number().min(1).max(3_650).default(90),
    },
    env,
  );
}
