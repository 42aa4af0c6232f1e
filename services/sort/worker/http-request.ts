import { setTimeout as sleep } from "node:timers/promises";
import type { DomainError } from "../../platform/runtime/errors.ts";

/** How often a request is made at most, and how long one may wait for the next byte. */
const attempts = 6;
export const idleMs = 30_000;

/** Why an attempt failed, and whether another one may do better. */
export class Transient extends Error {
  override readonly name = "Transient";
}

/** Runs `attempt` until it does not fail by a {@link Transient}: after 100 ms to 3 s, jittered, and six times at most. */
export async function withAttempts<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  giveUp: (cause: Error) => DomainError,
  signal: AbortSignal,
): Promise<T> {
  for (let made = 1; ; made += 1) {
    try {
      return await attempt(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Transient)) throw error;
      if (made === attempts) throw giveUp(error);
      await pause(made, signal);
    }
  }
}

/** Waits before attempt `made + 1`. */
export async function pause(made: number, signal: AbortSignal): Promise<void> {
  const ceiling = Math.min(3_000, 200 * 2 ** (made - 1));
  await sleep(100 + Math.random() * ceiling, undefined, { signal });
}

export interface HttpRequest {
  readonly method: "GET" | "PUT";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
}

/**
 * Makes a request. What is no answer, or one that asks for patience (429, 5xx), is a {@link Transient}. Redirects are not
 * followed: an allowed host would lead to another.
 */
export async function request(
  { url, ...init }: HttpRequest,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: init.method,
      headers: init.headers,
      ...(init.body && { body: init.body }),
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(idleMs * 4)]),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new Transient("no answer", { cause: error });
  }
  if (response.status >= 500 || response.status === 429) {
    await response.body?.cancel().catch(() => undefined);
    throw new Transient(`status ${response.status}`);
  }
  return response;
}

/** A body's bytes. A connection that breaks, or is silent for so long, is a {@link Transient}. */
export async function* bytesOf(
  response: Response,
  signal: AbortSignal,
  silentMs = idleMs,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { promise, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => reject(new Transient("the body stands still")),
        silentMs,
      );
      const next = await Promise.race([reader.read(), promise])
        .catch((error: unknown) => {
          signal.throwIfAborted();
          throw error instanceof Transient
            ? error
            : new Transient("the body broke off", { cause: error });
        })
        .finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
