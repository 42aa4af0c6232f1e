import type { Redis } from "ioredis";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { RedisPresence } from "./redis-presence.ts";

export interface Leases {
  giveBack(
    held: readonly { readonly key: string; readonly lease: string }[],
  ): Promise<void>;
}

/** The leases that `decide.lua` hands out. Without Redis none is given back: it runs out. */
export function createLeases(deps: {
  readonly redis: Redis;
  readonly presence: RedisPresence;
  readonly logger: Logger;
}): Leases {
  return {
    async giveBack(held) {
      if (held.length === 0 || !deps.presence.isHere()) return;
      try {
        await Promise.all(
          held.map(({ key, lease }) => deps.redis.zrem(key, lease)),
        );
      } catch (error) {
        deps.logger.warn({ err: error }, "a lease was not given back");
      }
    },
  };
}
