import type { Redis } from "ioredis";

const PROBE_EVERY_MS = 50;
const PROBE_TIMEOUT_MS = 250;

/** Whether it is worth asking Redis. */
export interface RedisPresence {
  readonly isHere: () => boolean;
  /** Tells that Redis did not answer in time: nobody waits for it again until it answers a PING. */
  readonly missed: () => void;
  readonly close: () => void;
}

/** A breaker with one thought: after a miss it lets nobody wait, and asks by itself until it is answered. */
export function watchRedis(redis: Redis): RedisPresence {
  let missed = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const probe = async () => {
    if (redis.status === "ready" && (await answers(redis))) {
      missed = false;
      return;
    }
    if (!closed) timer = setTimeout(() => void probe(), PROBE_EVERY_MS);
  };

  return {
    isHere: () => !missed && redis.status === "ready",
    missed() {
      if (missed || closed) return;
      missed = true;
      void probe();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

async function answers(redis: Redis): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PROBE_TIMEOUT_MS);
  });
  try {
    // A PING that comes late is as good as none; its answer is dropped.
    const pong = redis.ping().then(
      () => true,
      () => false,
    );
    return await Promise.race([pong, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
