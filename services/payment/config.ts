import { z } from "zod";
import {
  ConfigError,
  databaseSettings,
  kafkaSettings,
  readConfig,
  Secret,
  secret,
  serviceSettings,
} from "../platform/runtime/config.ts";

export type Config = ReturnType<typeof readPaymentConfig>;

const duration = (max: number) => z.coerce.number().int().min(10).max(max);

const webhookSecrets = z
  .string()
  .default("")
  .transform((list) => list.split(",").filter((one) => one !== ""))
  .pipe(z.array(z.string().min(16)).max(5))
  .transform((list) => list.map((one) => new Secret(one)));

/** @throws ConfigError that names every variable at fault. */
export function readPaymentConfig(env: NodeJS.ProcessEnv) {
  const config = readConfig(
    {
      ...serviceSettings,
      ...databaseSettings,
      ...kafkaSettings,
      WEFT_PAGE_TOKEN_SECRET: secret(32),
      /** Shared with Order: what it seals the tokens of choreographed orders by. Without it there are none. */
      PAYMENT_TOKEN_SECRET: secret(32).optional(),
      PAYMENT_PROVIDER_URL: z.url({ protocol: /^https?$/ }),
      /** A Void makes up to three calls, and its RPC has 10 s. */
      PAYMENT_PROVIDER_TIMEOUT_MS: duration(3_000).default(2_500),
      /** How long the provider may work on what it was asked for; then a hold that it does not know of was never made. */
      PAYMENT_ABSENCE_MS: duration(3_600_000).default(30_000),
      PAYMENT_LATE_CHECK_MS: duration(86_400_000).default(600_000),
      PAYMENT_RECOVER_AFTER_MS: duration(3_600_000).default(15_000),
      PAYMENT_RECOVER_INTERVAL_MS: duration(60_000).default(1_000),
      /** Of the provider's webhooks, separated by commas: two while one is replaced. None: no webhook is believed. */
      PAYMENT_WEBHOOK_SECRETS: webhookSecrets,
      PAYMENT_EVENT_DELAY_MS: duration(60_000).default(1_000),
      /** How old a payment is when it is compared with the provider's report. */
      PAYMENT_RECONCILE_AFTER_MS: duration(86_400_000).default(600_000),
      PAYMENT_RECONCILE_INTERVAL_MS: duration(3_600_000).default(60_000),
    },
    env,
  );
  if (config.PAYMENT_ABSENCE_MS <= config.PAYMENT_PROVIDER_TIMEOUT_MS) {
    throw new ConfigError(
      "PAYMENT_ABSENCE_MS must be more than PAYMENT_PROVIDER_TIMEOUT_MS, or a request under way counts as absent.",
    );
  }
  return config;
}
