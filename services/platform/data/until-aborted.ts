/** Settles as `work` does, or rejects with the signal's reason if that comes first. */
export function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return work;
  // The loser of the race may still fail: it must not count as unhandled.
  work.catch(() => undefined);
  if (signal.aborted) return Promise.reject(signal.reason);

  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() =>
    signal.removeEventListener("abort", onAbort),
  );
}
