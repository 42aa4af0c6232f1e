import type { Redis } from "ioredis";
import { EventEmitter, once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  openForgetChannel,
  type ForgetChannel,
} from "../../../services/ratelimit/store/forget-channel.ts";
import { connectRedis } from "../../../services/ratelimit/store/redis.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let world: RedisWorld;
beforeAll(async () => {
  world = await startRedisWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

function setup(
  onListener: (listener: Redis) => void = () => undefined,
  url = world.url,
): ForgetChannel & { forgotten: Set<string> } & Disposable {
  const logger = silentLogger;
  const redis = connectRedis({ logger, url });
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (options) => {
    const listener = duplicate(options);
    onListener(listener);
    return listener;
  };
  const forgotten = new Set<string>();
  const channel = openForgetChannel({ redis, logger }, "test", (key) =>
    forgotten.add(key),
  );
  return {
    ...channel,
    forgotten,
    [Symbol.dispose]() {
      channel.close();
      redis.disconnect();
    },
  };
}

async function hears(one: ForgetChannel, other: { forgotten: Set<string> }) {
  await eventually("what was emptied is heard", async () => {
    await one.forgetEverywhere(["a", "b"]).catch(() => undefined);
    return other.forgotten.has("a") && other.forgotten.has("b");
  });
}

it("is heard again by who was cut off, when Redis is back", async () => {
  using one = setup();
  using other = setup();
  await hears(one, other);

  await world.redis.call("CLIENT", "KILL", "TYPE", "pubsub");
  other.forgotten.clear();
  await hears(one, other);
  await world.stop();
  await world.start();
  other.forgotten.clear();
  await hears(one, other);
});

it("is heard again by who listens on a connection that has gone silent", async () => {
  await using network = await startTcpProxy(Number(new URL(world.url).port));
  using one = setup();
  using other = setup(undefined, `redis://127.0.0.1:${network.port}`);
  await hears(one, other);

  network.silence();
  other.forgotten.clear();

  await hears(one, other);
});

it("tells of more counts than one message holds", async () => {
  using one = setup();
  await hears(one, one);
  const keys = Array.from({ length: 2_000 }, (_, key) =>
    `key-${key}`.padEnd(190),
  );

  await one.forgetEverywhere(keys);

  await eventually("all are heard", async () =>
    keys.every((key) => one.forgotten.has(key)),
  );
});

it("ends in the moment of a reconnection without ending the process", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const listeners: Redis[] = [];
  using one = setup((listener) => listeners.push(listener));
  await hears(one, one);

  const [listener] = listeners;
  const ended = once(listener ?? new EventEmitter(), "end");
  listener?.once("ready", () => {
    one.close();
    // Before Redis could answer what was asked since it is back.
    listener.stream.destroy();
  });
  await world.redis.call("CLIENT", "KILL", "TYPE", "pubsub");
  await ended;
  await setImmediate();

  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
