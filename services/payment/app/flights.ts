/** Work that several callers wait for together. */
export interface Flights<T> {
  /** Joins the work under this key, or starts it. Everybody gets the one result. */
  share(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when what is under way has ended. */
  idle(): Promise<void>;
}

/**
 * Spares the provider the repeats within one process: 50 equal requests at once
 * are one call. Bounded by the calls that the server takes at a time, and only
 * an economy: between processes the provider's idempotency key does it.
 */
export function createFlights<T>(): Flights<T> {
  const flights = new Map<string, Promise<T>>();
  return {
    share(key, work) {
      const joined = flights.get(key);
      if (joined !== undefined) return joined;
      const flight = work().finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    },
    async idle() {
      await Promise.allSettled(flights.values());
    },
  };
}
