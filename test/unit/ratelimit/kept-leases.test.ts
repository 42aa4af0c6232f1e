import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createLeases } from "../../../services/ratelimit/store/leases.ts";
import { silentLogger } from "../../support/silent-logger.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("keeps ten thousand leases for a Redis that is away, drops the oldest, and says so once", async () => {
  let here = false;
  const zrem = vi.fn((_key: string, _lease: string) => Promise.resolve(1));
  const warn = vi.fn();
  const leases = createLeases({
    // Of the overloads of zrem this is the one that is called.
    redis: { zrem: zrem as never },
    presence: { isHere: () => here },
    logger: { ...silentLogger, warn },
  });

  for (let index = 0; index < 10_003; index += 1)
    await leases.giveBack([{ key: "key", lease: String(index) }]);
  here = true;
  await vi.runAllTimersAsync();

  expect(zrem).toHaveBeenCalledTimes(10_000);
  expect(zrem.mock.calls[0]).toEqual(["key", "3"]);
  expect(warn).toHaveBeenCalledOnce();
});
