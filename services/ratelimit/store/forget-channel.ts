import type { Redis } from "ioredis";
import type { Logger } from "../../platform/runtime/logger.ts";

const MOST_BYTES = 64 * 1024;
/** Who only listens would not notice that nobody is there. */
const ASK_EVERY_MS = 5_000;
/** A key has 200 bytes at most, so that a message of so many is heard. */
const MOST_KEYS = 256;

/** Tells every process of the service that counts were emptied, by Redis's publish and subscribe. */
export interface ForgetChannel {
  forgetEverywhere(keys: readonly string[]): Promise<void>;
  close(): void;
}

/** Who is cut off meanwhile hears nothing, and refuses what it knows until the times it knows. */
export function openForgetChannel(
  deps: { readonly redis: Redis; readonly logger: Logger },
  domain: string,
  forget: (key: string) => void,
): ForgetChannel {
  const channel = `weft:rl:{${domain}}:forget`;
  const listener = deps.redis.duplicate({
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    // ioredis subscribes again without a catch: a connection that ends just then would end the process.
    autoResubscribe: false,
  });
  // The connection that counts reports the same.
  listener.on("error", () => undefined);
  listener.on("message", (_, text: string) => {
    if (text.length > MOST_BYTES) return;
    for (const key of text.split("\n")) forget(key);
  });
  let closed = false;
  listener.on("ready", () => {
    listener.subscribe(channel).catch((error: unknown) => {
      if (closed) return;
      deps.logger.warn(
        { err: error },
        "resets of other processes are not heard",
      );
    });
  });
  const asking = setInterval(() => {
    // Without an answer the connection is replaced, and says so itself.
    if (listener.status === "ready") listener.ping().catch(() => undefined);
  }, ASK_EVERY_MS);
  return {
    async forgetEverywhere(keys) {
      for (let first = 0; first < keys.length; first += MOST_KEYS) {
        const some = keys.slice(first, first + MOST_KEYS);
        await deps.redis.publish(channel, some.join("\n"));
      }
    },
    close() {
      closed = true;
      clearInterval(asking);
      listener.disconnect();
    },
  };
}
