import { Redis } from "ioredis";
import type { Logger } from "../../platform/runtime/logger.ts";

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;
/** A peer that is gone without a word is one that was asked and said nothing for so long; TCP itself takes 15 minutes. */
const SILENT_MS = 2_000;

/**
 * Connects to Redis, and again whenever the connection ends or goes silent, for as long as the process lives. A command fails at once
 * where there is no connection: whoever asks has milliseconds, and an answer without Redis.
 */
export function connectRedis(deps: {
  readonly logger: Logger;
  readonly url: string;
}): Redis {
  const redis = new Redis(deps.url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_000,
    socketTimeout: SILENT_MS,
    retryStrategy: (attempt) => {
      const step = Math.min(
        LONGEST_RETRY_MS,
        FIRST_RETRY_MS * 2 ** Math.min(attempt, 10),
      );
      return step / 2 + (Math.random() * step) / 2;
    },
  });
  let told: "connected" | "away" | undefined;
  redis.on("ready", () => {
    if (told === "away") deps.logger.info({}, "Redis is back");
    told = "connected";
  });
  // ioredis reports every failed attempt; the first says all.
  redis.on("error", (error: Error) => {
    if (told !== "away") deps.logger.warn({ err: error }, "Redis is away");
    told = "away";
  });
  redis.on("close", () => {
    if (told === "connected") deps.logger.warn({}, "Redis is away");
    told = "away";
  });
  return redis;
}
