import type { z } from "zod";
import { ConfigError, processSettings, readConfig } from "./config.ts";
import { createDrain, type DrainHook } from "./drain.ts";
import { createLogger, type Logger } from "./logger.ts";
import { startTelemetry } from "./telemetry.ts";
import { trimMemory, trimWhileIdle } from "./trim-memory.ts";

/** What a service is given to start with. */
export interface Runtime {
  readonly env: NodeJS.ProcessEnv;
  readonly logger: Logger;
  /** Aborts when the process begins to drain: the end of every background loop. */
  readonly signal: AbortSignal;
  /** Registers a step of the drain. Steps run one after another, the last registered first. */
  onDrain(name: string, hook: DrainHook): void;
}

/**
 * Runs a service as this process: reads the process's settings, starts telemetry, starts the service, tells the parent
 * process `ready`, and drains on SIGTERM, SIGINT or SIGHUP. It never returns: it ends the process, with 0 after a clean
 * drain, 2 for a faulty configuration, 1 for anything else.
 */
export function runService(
  name: string,
  start: (runtime: Runtime) => Promise<void>,
): void {
  run(name, start).catch((error: unknown) => {
    if (error instanceof ConfigError) {
      process.stderr.write(`${name}: ${error.message}\n`);
      process.exit(2);
    }
    createLogger(name, "error").error(
      { err: error },
      "the service can't start",
    );
    process.exit(1);
  });
}

async function run(
  name: string,
  start: (runtime: Runtime) => Promise<void>,
): Promise<void> {
  const env = process.env;
  const settings = readConfig(processSettings, env);
  const logger = createLogger(name, settings.LOG_LEVEL);
  const stopTelemetry = await startTelemetry(
    telemetryOptions(name, settings, env),
  );
  const drain = createDrain({
    logger,
    boundMs: settings.WEFT_DRAIN_SECONDS * 1000,
    exit: (code) => process.exit(code),
  });
  // Registered first, so it runs last: the drain itself is still traced.
  drain.add("telemetry", stopTelemetry);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => drain.start(signal, 0));
  }
  // A parent that dies without a signal closes the channel; a service without its supervisor ends too.
  process.on("disconnect", () => drain.start("the supervisor is gone", 0));
  process.on("uncaughtException", (error) => {
    logger.error({ err: error }, "uncaught error");
    drain.start("an uncaught error", 1);
  });
  await start({
    env,
    logger,
    signal: drain.signal,
    onDrain: (step, hook) => drain.add(step, hook),
  });
  trimMemory();
  trimWhileIdle();
  logger.info({ pid: process.pid }, "ready");
  process.send?.("ready");
}

function telemetryOptions(
  service: string,
  settings: z.infer<z.ZodObject<typeof processSettings>>,
  env: NodeJS.ProcessEnv,
) {
  const all = settings.OTEL_EXPORTER_OTLP_ENDPOINT;
  return {
    service,
    tracesEndpoint: settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? all,
    metricsEndpoint: settings.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT ?? all,
    // Any other of OpenTelemetry's variables is for the SDK that knows them all.
    wholeSdk: Object.keys(env).some(
      (variable) => variable.startsWith("OTEL_") && !(variable in settings),
    ),
  };
}
