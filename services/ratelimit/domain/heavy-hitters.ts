/** Counts the names that come most often, with memory for `bound` of them. */
export interface HeavyHitters {
  add(name: string): void;
  /** What was counted since the last time, and begins anew. */
  drain(): Map<string, number>;
}

/**
 * The Space-Saving algorithm (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data
 * Streams, 2005): a name that finds no place takes that of the rarest and inherits its count. So no count is too low, and every
 * name that makes up more than 1/bound of all is there.
 */
export function createHeavyHitters(bound: number): HeavyHitters {
  let counts = new Map<string, number>();
  return {
    add(name) {
      const known = counts.get(name);
      if (known !== undefined || counts.size < bound) {
        counts.set(name, (known ?? 0) + 1);
        return;
      }
      const [rarest, count] = smallest(counts);
      counts.delete(rarest);
      counts.set(name, count + 1);
    },
    drain() {
      const counted = counts;
      counts = new Map();
      return counted;
    },
  };
}

function smallest(counts: ReadonlyMap<string, number>): [string, number] {
  let found: [string, number] = ["", Infinity];
  for (const entry of counts) {
    if (entry[1] < found[1]) found = entry;
    // Nothing is rarer.
    if (found[1] === 1) break;
  }
  return found;
}
