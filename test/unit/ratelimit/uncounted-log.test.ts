import { expect, it, vi } from "vitest";
import { createUncountedLog } from "../../../services/ratelimit/store/uncounted-log.ts";
import { silentLogger } from "../../support/silent-logger.ts";

function setup() {
  const [warn, info] = [vi.fn(), vi.fn()];
  const clock = { nowMs: 0 };
  const log = createUncountedLog({
    logger: { ...silentLogger, warn, info },
    nowMs: () => clock.nowMs,
  });
  return { clock, info, log, warn };
}

it("says a cause that lasts once a minute", () => {
  const { clock, log, warn } = setup();

  for (; clock.nowMs < 150_000; clock.nowMs += 10)
    log.uncounted(new Error("READONLY"));

  expect(warn).toHaveBeenCalledTimes(3);
});

it("says two lines a minute of a Redis that comes and goes", () => {
  const { clock, info, log, warn } = setup();

  for (; clock.nowMs < 60_000; clock.nowMs += 10) {
    log.uncounted(new Error("late"));
    log.counted();
  }

  expect(warn).toHaveBeenCalledOnce();
  expect(info).toHaveBeenCalledOnce();
});
