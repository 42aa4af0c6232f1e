/** Runs work that comes in, so many at a time. */
export type Lane = <T>(work: () => Promise<T>) => Promise<T>;

/** A lane of `width`. What waits is kept in order and without a bound of its own: whoever hands work in bounds it. */
export function createLane(width: number): Lane {
  const waiting: (() => void)[] = [];
  let free = width;
  return async (work) => {
    if (free > 0) {
      free -= 1;
    } else {
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
