import { streamIdle } from "../domain/sort-refusals.ts";

/**
 * What comes, for as long as the next comes within `idleMs` of its being waited for: whoever is held back is not idle.
 *
 * @throws DomainError STREAM_IDLE.
 */
export async function* untilIdle<T>(
  messages: AsyncIterable<T>,
  idleMs: number,
): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  for (;;) {
    const next = await beforeIdle(iterator.next(), idleMs);
    if (next.done) return;
    yield next.value;
  }
}

async function beforeIdle<T>(next: Promise<T>, idleMs: number): Promise<T> {
  const { promise: idle, reject } = Promise.withResolvers<never>();
  using _late = after(idleMs, () => reject(streamIdle("sent", idleMs)));
  return await Promise.race([next, idle]);
}

/** Calls back unless it is disposed of before. */
export function after(ms: number, callBack: () => void): Disposable {
  const timer = setTimeout(callBack, ms).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
