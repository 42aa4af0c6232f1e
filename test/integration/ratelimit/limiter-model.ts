/** The algorithms once more, in exact fractions and without Redis: what the script is held against. */
export interface Numbers {
  readonly limit: number;
  readonly periodUs: number;
  readonly burst: number;
  readonly buckets: number;
}

export interface Model {
  /** Whether the hits have room at `nowUs`; takes them if so. */
  take(hits: number, nowUs: number): boolean;
}

export type ModelName =
  "gcra" | "token-bucket" | "sliding-window" | "fixed-window";

export const models: Record<ModelName, (numbers: Numbers) => Model> = {
  gcra: (numbers) => bucket(numbers),
  // The two are one rate law in two notations (see the service's README), so one model serves both.
  "token-bucket": (numbers) => bucket(numbers),
  "fixed-window": ({ limit, periodUs }) => {
    const taken: Hit[] = [];
    return {
      take: (hits, nowUs) => {
        const start = Math.floor(nowUs / periodUs) * periodUs;
        return takeWhere(
          taken,
          { hits, nowUs },
          limit,
          ({ nowUs: at }) => at >= start,
        );
      },
    };
  },
  "sliding-window": ({ limit, periodUs, buckets }) => {
    const width = Math.ceil(periodUs / buckets);
    // Buckets lie as in the script, which counts from 2026.
    const part = (us: number) => Math.floor((us - 1767225600000000) / width);
    const taken: Hit[] = [];
    return {
      take: (hits, nowUs) =>
        takeWhere(
          taken,
          { hits, nowUs },
          limit,
          ({ nowUs: at }) => part(at) >= part(nowUs) - buckets,
        ),
    };
  },
};

export interface Hit {
  readonly hits: number;
  readonly nowUs: number;
}

function takeWhere(
  taken: Hit[],
  hit: Hit,
  limit: number,
  counts: (hit: Hit) => boolean,
): boolean {
  const sum = taken.filter(counts).reduce((all, { hits }) => all + hits, 0);
  if (sum + hit.hits > limit) return false;
  taken.push(hit);
  return true;
}

/** A bucket that leaks `limit` in `periodUs`; in units of 1/`periodUs` of a hit, so that all is whole. */
function bucket({ limit, periodUs, burst }: Numbers): Model {
  let level = 0n;
  let last = 0n;
  return {
    take(hits, nowUs) {
      const now = BigInt(nowUs);
      const leaked = (now - last) * BigInt(limit);
      level = level > leaked ? level - leaked : 0n;
      last = now;
      const wanted = level + BigInt(hits) * BigInt(periodUs);
      if (wanted > BigInt(burst) * BigInt(periodUs)) return false;
      level = wanted;
      return true;
    },
  };
}
