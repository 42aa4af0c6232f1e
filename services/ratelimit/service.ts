import { readFile } from "node:fs/promises";
import { serve } from "../platform/rpc/server.ts";
import { tlsFiles } from "../platform/runtime/config.ts";
import { newId } from "../platform/runtime/ids.ts";
import type { Runtime } from "../platform/runtime/run-service.ts";
import { startLimiter } from "./app/limiter.ts";
import { parseRateClasses } from "./app/rate-classes.ts";
import { readRateLimitConfig } from "./config.ts";
import { adminService } from "./rpc/admin-service.ts";
import { collectStreamsYoung } from "./rpc/collect-streams-young.ts";
import { mountRateLimit } from "./rpc/mount-rate-limit.ts";
import { openCounterStore } from "./store/counter-store.ts";

const REDIS_PATIENCE_MS = 2_000;

/** Starts the service. It is ready without Redis: answering then is what it is for. */
export async function startRateLimit(runtime: Runtime): Promise<void> {
  const { logger } = runtime;
  const config = readRateLimitConfig(runtime.env);
  const store = openCounterStore({
    logger,
    url: config.REDIS_URL?.reveal(),
    timeoutMs: config.RATELIMIT_REDIS_TIMEOUT_MS,
  });
  runtime.onDrain("redis", async () => store.close());

  // Or the first calls after a start would be answered as if Redis were away.
  await store.connected(REDIS_PATIENCE_MS);

  const now = () => new Date();
  const limiter = await startLimiter(
    { ...store, logger, now, newLease: () => newId() },
    {
      rulesFile: config.RATELIMIT_RULES_FILE,
      classes: parseRateClasses(
        await readFile(config.RATELIMIT_CLASSES_FILE, "utf8"),
      ),
      instances: config.RATELIMIT_INSTANCES,
      denyCache: config.RATELIMIT_DENY_CACHE,
    },
  );
  runtime.onDrain("rules", async () => limiter[Symbol.asyncDispose]());

  collectStreamsYoung();
  const server = await serve({
    host: config.WEFT_HOST,
    grpcPort: config.WEFT_GRPC_PORT,
    connectPort: config.WEFT_CONNECT_PORT,
    tls: tlsFiles(config),
    services: [
      adminService({
        ...store,
        ...limiter,
        now,
        rules: () => limiter.rules.current().rules,
        loaded: limiter.rules.current,
        fault: limiter.rules.fault,
      }),
    ],
    mountForeign: (grpc) => mountRateLimit(grpc, { ...limiter, logger }),
    logger,
  });
  runtime.onDrain("servers", (hurry) => server.drain(hurry));
}
