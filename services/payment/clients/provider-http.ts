import { setTimeout as delay } from "node:timers/promises";
import {
  createBreaker,
  type BreakerOptions,
} from "../../platform/rpc/breaker.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  connectProvider,
  type ProviderConnections,
} from "./provider-exchange.ts";

/** One request to the provider, as its API takes it. */
export interface ProviderRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Form-encoded. */
  readonly form?: Readonly<Record<string, string>>;
  /** The same key gets the first answer again, however often it is sent. */
  readonly idempotencyKey?: string;
}

export interface ProviderReply {
  readonly status: number;
  readonly body: unknown;
}

export interface ProviderHttpOptions {
  readonly url: string;
  /** For one request with its retries, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborts when the process ends. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly breaker?: BreakerOptions;
}

export interface ProviderHttp {
  /**
   * Resolves with any answer below 500 but 409 and 429.
   *
   * @throws ProviderSilent when there was none: the request may or may not have been done.
   */
  send(request: ProviderRequest): Promise<ProviderReply>;
  close(): void;
}

/** The provider did not answer, or not in a way that tells what it did. */
export class ProviderSilent extends Error {
  override readonly name = "ProviderSilent";
}

const IN_USE_RETRY_MS = 50;

/**
 * Talks to the provider behind a circuit breaker, so that a dead one costs its
 * callers no wait. Refused and declined requests do not open it.
 */
export function createProviderHttp(options: ProviderHttpOptions): ProviderHttp {
  const breaker = createBreaker(
    options,
    "payment-provider",
    "all",
    options.breaker,
  );
  const connections = connectProvider(options.url);
  return {
    async send(request) {
      try {
        return await breaker.run(() => exchange(connections, options, request));
      } catch (error) {
        throw new ProviderSilent("the provider did not tell", { cause: error });
      }
    },
    close() {
      breaker.close();
      connections.close();
    },
  };
}

async function exchange(
  connections: ProviderConnections,
  options: ProviderHttpOptions,
  request: ProviderRequest,
): Promise<ProviderReply> {
  const signal = AbortSignal.any([
    options.signal,
    AbortSignal.timeout(options.timeoutMs),
  ]);
  for (;;) {
    const reply = await connections.exchange(request, signal);
    if (reply.status !== 409) return reply;
    // Another process has the same request under way: its answer is ours too.
    await delay(IN_USE_RETRY_MS * (0.5 + Math.random()), undefined, { signal });
  }
}
