import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { RedisAwayError } from "../../../services/ratelimit/store/counters.ts";
import type { CounterCheck } from "../../../services/ratelimit/store/decision-script.ts";
import { createLeases } from "../../../services/ratelimit/store/leases.ts";
import { silentLogger } from "../../support/silent-logger.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("keeps ten thousand leases for a Redis that is away, drops the oldest, and says so once", async () => {
  let here = false;
  const takenBack: string[] = [];
  const warn = vi.fn();
  const leases = createLeases({
    counters: {
      async decide(checks: readonly CounterCheck[]) {
        if (!here) throw new RedisAwayError("away");
        takenBack.push(...checks.map(({ amount }) => amount));
        return [];
      },
    },
    presence: { isHere: () => here },
    logger: { ...silentLogger, warn },
  });

  for (let index = 0; index < 10_003; index += 1)
    await leases.giveBack([{ key: "key", lease: String(index) }]);
  here = true;
  await vi.runAllTimersAsync();

  expect(takenBack).toHaveLength(10_000);
  expect(takenBack[0]).toBe("3");
  expect(warn).toHaveBeenCalledOnce();
});
