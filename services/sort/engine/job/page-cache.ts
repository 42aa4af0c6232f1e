import type { SortOptions } from "../sort-options.ts";

/** Linux begins to write back past a tenth of the free memory, and holds up whoever goes on writing into its cache. */
const DIRTY_SHARE = 10;

/**
 * Whether an output is better written past the page cache, where it and its runs are so many bytes. What is below Linux's
 * limit costs a copy, and is written when the sort has ended; 4 GB took 14 to 17 s by way of the cache, and 9 s past it.
 */
export function bypassesCache(
  { pageCache = "auto" }: Pick<SortOptions, "pageCache">,
  bytesWritten: number,
): boolean {
  return pageCache === "auto"
    ? bytesWritten > process.availableMemory() / DIRTY_SHARE
    : pageCache === "bypassed";
}
