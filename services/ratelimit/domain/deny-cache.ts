/** Remembers what was refused and until when: until then the answer is known without asking. */
export interface DenyCache {
  /** Milliseconds until the count has room for so many hits by `spec`; 0 where that must be asked. */
  retryMs(key: string, spec: string, hits: number, nowMs: number): number;
  /** Remembers that so many hits have no room by `spec` before `untilMs`. */
  remember(key: string, spec: string, hits: number, untilMs: number): void;
  forget(key: string): void;
  clear(): void;
}

interface Denial {
  /** The rule's numbers: callers of two plans may share a count, and one have room where the other has none. */
  readonly spec: string;
  readonly hits: number;
  readonly untilMs: number;
}

/**
 * Holds at most `bound` refusals, the latest. It is exact where nothing gives room back early: a count only grows fuller
 * until the time it told. Times are of a monotonic clock.
 */
export function createDenyCache(bound: number): DenyCache {
  const denials = new Map<string, Denial>();
  return {
    retryMs(key, spec, hits, nowMs) {
      const denial = denials.get(key);
      if (denial === undefined) return 0;
      if (denial.untilMs <= nowMs) {
        denials.delete(key);
        return 0;
      }
      // Fewer hits may have room before, and so may other numbers.
      const known = spec === denial.spec && hits >= denial.hits;
      return known ? denial.untilMs - nowMs : 0;
    },
    remember(key, spec, hits, untilMs) {
      denials.delete(key);
      if (denials.size >= bound) {
        const [oldest] = denials.keys();
        if (oldest !== undefined) denials.delete(oldest);
      }
      denials.set(key, { spec, hits, untilMs });
    },
    forget: (key) => void denials.delete(key),
    clear: () => denials.clear(),
  };
}
