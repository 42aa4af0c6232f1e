import { sortError } from "../sort-error.ts";
import type { MemoryBudget } from "../sort-options.ts";

/** Arenas must stay below 2 GiB: their addresses are counted in 32 bits, and a chunk's ranges may lie past its end. */
const MOST_ARENA = 2_000 << 20;
const LEAST_ARENA = 12 << 20;
/** What a thread takes beside its arena once it works. */
const THREAD_BYTES = 5 << 20;
/** The heaps grow with the runs, and those who give much memory have many: an eighth of it, but at least so much. */
const RESERVE = 16 << 20;
const RESERVED_SHARE = 8;

export interface SharedMemory {
  readonly workers: number;
  readonly arenaBytes: number;
  /** What indexes of runs may take at once, of the heaps' reserve. */
  readonly indexBytes: number;
}

/** How many workers with an arena of which size a budget carries. Throws MEMORY_TOO_SMALL. */
export function shareMemory(
  budget: MemoryBudget,
  wanted: number,
  residentNow: number,
  pipeBytes: number,
): SharedMemory {
  const base = budget.counts === "process" ? residentNow : wanted * (10 << 20);
  const reserve = Math.max(RESERVE, budget.bytes / RESERVED_SHARE);
  const room = budget.bytes - base - reserve - pipeBytes;
  for (let workers = wanted; workers > 0; workers--) {
    const each = Math.floor(room / workers) - THREAD_BYTES;
    if (each >= LEAST_ARENA) {
      const arenaBytes = Math.min(each, MOST_ARENA) & ~0xffff;
      return { workers, arenaBytes, indexBytes: reserve / 2 };
    }
  }
  const used = base + pipeBytes + THREAD_BYTES + LEAST_ARENA;
  const least = Math.ceil(
    Math.max(used + RESERVE, used / (1 - 1 / RESERVED_SHARE)),
  );
  throw sortError(
    "MEMORY_TOO_SMALL",
    `a budget of ${budget.bytes} bytes is too small: ${least} are needed`,
    { field: "memory.bytes", metadata: { needed: String(least) } },
  );
}
