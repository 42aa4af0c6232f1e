import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import {
  startRedis,
  type Redis as RedisServer,
} from "../../../deploy/local/components/redis.ts";
import { freePort } from "../../../deploy/local/ports.ts";

export interface RedisWorld extends AsyncDisposable {
  readonly url: string;
  /** A connection of the test's own. */
  readonly redis: Redis;
  readonly pid: () => number;
  readonly stop: () => Promise<void>;
  /** On the same port as before. */
  readonly start: () => Promise<void>;
}

/** A real Redis of the test's own, which it may stop. */
export async function startRedisWorld(): Promise<RedisWorld> {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-redis-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const port = await freePort();
  const open = () => startRedis({ directory, port });
  let server: RedisServer = await open();
  started.defer(() => server.stop());
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  redis.on("error", () => undefined);
  started.defer(() => redis.disconnect());
  const running = started.move();
  return {
    url: server.url,
    redis,
    pid: () => {
      if (server.pid === undefined) throw new Error("Redis has no pid");
      return server.pid;
    },
    stop: () => server.stop(),
    start: async () => {
      server = await open();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
