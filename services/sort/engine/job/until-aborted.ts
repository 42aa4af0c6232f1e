/** Settles as `work` does, or rejects with the signal's reason if that comes first. */
export function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  // What is not waited for any more may still fail.
  work.catch(() => {});
  const { promise, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(signal.reason);
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  return Promise.race([work, promise]).finally(() =>
    signal.removeEventListener("abort", giveUp),
  );
}
