/** A bell: a ring that comes before the wait is not lost, many rings count once. */
export interface WakeUp {
  ring(): void;
  /** Resolves true when rung, false after `ms` or when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

export function createWakeUp(): WakeUp {
  let rung = false;
  let waiter: ((rung: boolean) => void) | undefined;
  return {
    ring() {
      rung = true;
      waiter?.(true);
    },
    async wait(ms, signal) {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<boolean>();
        const timer = setTimeout(resolve, ms, false);
        const onAbort = (): void => resolve(false);
        signal.addEventListener("abort", onAbort, { once: true });
        waiter = resolve;
        await promise;
        waiter = undefined;
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      }
      const wasRung = rung;
      rung = false;
      return wasRung;
    },
  };
}
