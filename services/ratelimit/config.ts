import { fileURLToPath } from "node:url";
import { z } from "zod";
import {
  readConfig,
  secret,
  serviceSettings,
} from "../platform/runtime/config.ts";

const fromRoot = (path: string) =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));

export type Config = ReturnType<typeof readRateLimitConfig>;

/** @throws ConfigError that names every variable at fault. */
export function readRateLimitConfig(env: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...serviceSettings,
      /** Without it every rule answers as it does while Redis is away. */
      REDIS_URL: secret().optional(),
      RATELIMIT_RULES_FILE: z
        .string()
        .default(fromRoot("deploy/rate-limits.yaml")),
      /** What the contracts name; generated with them. */
      RATELIMIT_CLASSES_FILE: z
        .string()
        .default(fromRoot("gen/edge/rate-classes.json")),
      /** How long a decision waits for Redis. The edge gets its answer within 10 ms: 6 are left for this process's own pauses. */
      RATELIMIT_REDIS_TIMEOUT_MS: z.coerce
        .number()
        .int()
        .min(1)
        .max(1_000)
        .default(4),
      /** Processes of this service: what each allows of a rule that counts locally while Redis is away. */
      RATELIMIT_INSTANCES: z.coerce.number().int().min(1).max(1_000).default(1),
      /** Refusals that are remembered until their retry time. */
      RATELIMIT_DENY_CACHE: z.coerce
        .number()
        .int()
        .min(1)
        .max(1_000_000)
        .default(50_000),
    },
    env,
  );
}
