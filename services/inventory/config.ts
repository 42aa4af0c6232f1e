import { z } from "zod";
import {
  databaseSettings,
  kafkaSettings,
  readConfig,
  secret,
  serviceSettings,
} from "../platform/runtime/config.ts";

export type Config = ReturnType<typeof readInventoryConfig>;

/** @throws ConfigError that names every variable at fault. */
export function readInventoryConfig(env: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...serviceSettings,
      ...databaseSettings,
      ...kafkaSettings,
      WEFT_PAGE_TOKEN_SECRET: secret(32),
      /** How long a reservation may outlive its end, about. */
      INVENTORY_SWEEP_INTERVAL_MS: z.coerce
        .number()
        .int()
        .min(10)
        .max(60_000)
        .default(1_000),
    },
    env,
  );
}
