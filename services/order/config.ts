import { z } from "zod";
import {
  address,
  ConfigError,
  databaseSettings,
  kafkaSettings,
  readConfig,
  secret,
  serviceSettings,
} from "../platform/runtime/config.ts";

/** @throws ConfigError that names every variable at fault. */
export function readOrderConfig(env: NodeJS.ProcessEnv) {
  const config = readConfig(
    {
      ...serviceSettings,
      ...databaseSettings,
      ...kafkaSettings,
      WEFT_PAGE_TOKEN_SECRET: secret(32),
      INVENTORY_ADDRESS: address,
      PAYMENT_ADDRESS: address,
      /** How an order is coordinated that does not say. */
      ORDER_COORDINATION: z
        .enum(["orchestrated", "choreographed", "two_phase_commit"])
        .default("orchestrated"),
      /** Shared with Payment: what the tokens of choreographed orders are sealed by. Without it there are none. */
      PAYMENT_TOKEN_SECRET: secret(32).optional(),
      /**
       * Orders that one process drives at a time. More of them settle hardly more a second (64 instead of 32: 13 %), and
       * each later: this is what bounds how long an accepted order takes.
       */
      ORDER_DRIVERS: z.coerce.number().int().min(1).max(1_000).default(32),
      /**
       * Orders that may wait for a driver, in the database; the next ones are refused with RESOURCE_EXHAUSTED. None, as each
       * that waits is claimed anew: at three times the capacity 4 of them cost a fifth of the orders a second.
       */
      ORDER_WAITING: z.coerce.number().int().min(0).max(100_000).default(0),
      /**
       * Choreographed orders of one process that may be unsettled; the next ones are refused with RESOURCE_EXHAUSTED. Eight
       * times the drivers: at 100 orders a second the last is settled in half the 5 s after which events count as late.
       */
      ORDER_FOLLOWED: z.coerce.number().int().min(1).max(100_000).default(256),
      /** How often to look for orders that are due, in milliseconds. */
      ORDER_POLL_MS: z.coerce.number().int().min(10).max(60_000).default(500),
      /** The silence after which a watch tells that it lives, in milliseconds. */
      ORDER_WATCH_HEARTBEAT_MS: z.coerce
        .number()
        .int()
        .min(100)
        .max(300_000)
        .default(15_000),
    },
    env,
  );
  if (
    config.ORDER_COORDINATION === "choreographed" &&
    config.PAYMENT_TOKEN_SECRET === undefined
  ) {
    throw new ConfigError(
      "ORDER_COORDINATION is choreographed, which needs PAYMENT_TOKEN_SECRET, or every order that names no mode is refused.",
    );
  }
  return config;
}
