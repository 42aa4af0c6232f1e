import type { Redis } from "ioredis";
import {
  decisionScript,
  decodeBatch,
  encodeBatch,
  type CounterCheck,
  type CounterResult,
} from "./decision-script.ts";
import type { RedisPresence } from "./redis-presence.ts";
import type { UncountedLog } from "./uncounted-log.ts";

// A quarter of what is usually under way: while Redis decides one batch, the next are read and written. With twice as many
// a loaded service decided a tenth less, and its p99 was half a millisecond longer.
const MOST_REQUESTS = 16;
const MOST_CHECKS = 512;
/** Requests that wait for an answer; what comes on top is answered as if Redis were away. */
const MOST_WAITING = 4_096;

/** Redis was not there, did not answer in time, or refused to count. The hits may have been taken all the same. */
export class RedisAwayError extends Error {
  override readonly name = "RedisAwayError";
}

export interface CountersDeps {
  readonly redis: Pick<Redis, "evalsha" | "eval">;
  readonly presence: RedisPresence;
  readonly log: UncountedLog;
  /** How long an answer may take, in milliseconds. */
  readonly timeoutMs: number;
}

export interface Counters {
  /**
   * Takes the hits of every check, or of none; see `decide.lua`.
   *
   * @throws RedisAwayError
   */
  decide(checks: readonly CounterCheck[]): Promise<readonly CounterResult[]>;
}

interface Waiting {
  readonly checks: readonly CounterCheck[];
  readonly resolve: (results: readonly CounterResult[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The counts in Redis. Requests that arrive in one turn of the event loop go there as one script call: it costs Redis one
 * look at each count they share, and us one command.
 */
export function createCounters(deps: CountersDeps): Counters {
  let gathered: Waiting[] = [];
  let checks = 0;
  let waiting = 0;
  let scheduled = false;

  const flush = () => {
    scheduled = false;
    const batch = gathered;
    gathered = [];
    checks = 0;
    if (batch.length > 0) void send(batch);
  };

  const send = async (batch: readonly Waiting[]) => {
    const requests = batch.map((one) => one.checks);
    try {
      const results = await decideBatch(deps, requests);
      batch.forEach((one, index) => one.resolve(results[index] ?? []));
      deps.log.counted();
    } catch (cause) {
      deps.log.uncounted(cause);
      const error = new RedisAwayError("no answer from Redis", { cause });
      for (const one of batch) one.reject(error);
    } finally {
      waiting -= batch.length;
    }
  };

  return {
    async decide(request) {
      if (!deps.presence.isHere()) throw new RedisAwayError("Redis is away");
      if (waiting >= MOST_WAITING) {
        const error = new RedisAwayError("too many requests wait for Redis");
        deps.log.uncounted(error);
        throw error;
      }
      waiting += 1;
      return new Promise((resolve, reject) => {
        gathered.push({ checks: request, resolve, reject });
        checks += request.length;
        if (gathered.length >= MOST_REQUESTS || checks >= MOST_CHECKS) flush();
        else if (!scheduled) {
          scheduled = true;
          setImmediate(flush);
        }
      });
    },
  };
}

async function decideBatch(
  { redis, presence, timeoutMs }: CountersDeps,
  requests: readonly (readonly CounterCheck[])[],
): Promise<CounterResult[][]> {
  const { keys, args } = encodeBatch(requests);
  const answer = await within(timeoutMs, runScript(redis, keys, args));
  if (answer === late) {
    presence.missed();
    throw new Error(`Redis did not answer within ${timeoutMs} ms`);
  }
  return decodeBatch(requests, answer);
}

/** Runs the script by its hash, and sends it whole where Redis does not know it: after a start, a failover, a flush. */
export async function runScript(
  redis: CountersDeps["redis"],
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  try {
    return await redis.evalsha(
      decisionScript.sha,
      keys.length,
      ...keys,
      ...args,
    );
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT"))
      throw error;
    return redis.eval(decisionScript.source, keys.length, ...keys, ...args);
  }
}

const late = Symbol("late");

/**
 * Waits so long for `work`. A process that was held up itself finds its timer due and the answer waiting in the socket: the
 * answer is read first, so that our own pause is not taken for Redis's.
 */
function within<T>(
  timeoutMs: number,
  work: Promise<T>,
): Promise<T | typeof late> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => setImmediate(() => resolve(late)),
      timeoutMs,
    );
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
