import type { Logger } from "../../services/platform/runtime/logger.ts";

/** For tests that do not look at the log. `WEFT_TEST_LOG=1` prints it. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: write("info"),
  warn: write("warn"),
  error: write("error"),
  child: () => silentLogger,
};

function write(level: string) {
  return (fields: object, message: string): void => {
    if (process.env["WEFT_TEST_LOG"] === "1")
      console.log(level, message, fields);
  };
}
