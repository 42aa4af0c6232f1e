import { type logCreator, logLevel } from "kafkajs";
import type { Logger } from "../runtime/logger.ts";

/** Sends kafkajs' own log lines through ours. Its "info" is narration, so it is our debug. */
export function kafkaLogger(logger: Logger): logCreator {
  return () =>
    ({ namespace, level, log }) => {
      const { timestamp: _, message, logger: __, stack: ___, ...fields } = log;
      const line = { component: "kafkajs", namespace, ...fields };
      switch (level) {
        case logLevel.ERROR:
          // kafkajs logs as errors what it then retries; whoever gives up logs the error.
          return logger.warn(line, message);
        case logLevel.WARN:
          return logger.warn(line, message);
        default:
          return logger.debug(line, message);
      }
    };
}
