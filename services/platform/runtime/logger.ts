import { context, isSpanContextValid, trace } from "@opentelemetry/api";
import { pino, stdSerializers } from "pino";
import { requestId } from "./request-id.ts";

/** A log line is an outcome: ids and numbers are fields, the message is a constant sentence. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

/** The levels that `LOG_LEVEL` may name. */
export const logLevels = [
  "trace",
  "debug",
  "info",
  "warn",
  "error",
  "silent",
] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Makes the logger of a process: JSON lines on standard output, each with the trace, the span and the request that it was written in.
 * Fields that could hold a secret are cut out whatever the caller passes.
 */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino({
    base: { service },
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    redact: {
      paths: [
        "authorization",
        "*.authorization",
        "paymentToken",
        "*.paymentToken",
      ],
      censor: "[cut]",
    },
    mixin: activeCall,
  });
}

/** Of an error no more than what is meant for people: libraries hang on it what they were at, such as the command that logs in. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack, ...fields } = stdSerializers.err(error);
  const { code, reason } = fields;
  return { type, message, stack, code, reason };
}

function activeCall(): object {
  const active = context.active();
  const span = trace.getSpanContext(active);
  if (!span || !isSpanContextValid(span)) {
    return {};
  }
  const id = requestId(active);
  const { traceId, spanId } = span;
  return id === undefined
    ? { traceId, spanId }
    : { traceId, spanId, requestId: id };
}
