import { BLOCK_BYTES, INDEX_BYTES } from "../run-file.ts";
import { OUT_BYTES } from "../worker/arena.ts";
import { mostSources } from "../worker/merge-part.ts";

/** What a plan knows of a run. */
export interface RunSize {
  readonly bytes: number;
  readonly longest: number;
  /** What its blocks hold at most, but for longer records, where that is not the usual. */
  readonly blockBytes?: number;
}

export interface MergeMeans {
  readonly arenaBytes: number;
  readonly workers: number;
  /** What the indexes of runs may take at once. */
  readonly indexBytes: number;
  /** How many files all workers together may have open. */
  readonly openFiles: number;
}

export interface MergePlan<T extends RunSize> {
  /** Neighbours, of which one run is made. */
  readonly groups: readonly (readonly T[])[];
  /** Of the runs that are made. */
  readonly blockBytes: number;
}

/** The index of a longer run would be too much for the worker that makes it. */
const MOST_BLOCKS = 65_536;
/** A merge has room for two blocks of each run: so many fit in an arena at least. */
const LEAST_BLOCKS = 32;
/** A file that is written past the page cache is open twice. */
const OUTPUT_FILES = 2;

/**
 * What is to be merged before the last merge can take all that are left: an arena must hold a buffer of each, the memory
 * for indexes theirs, and all workers open them at once. As few as are needed: what is merged here is read and written once more. The more there is to
 * index, the longer are the blocks of what is made: of 1 TB, blocks of 64 KiB have indexes of 427 MB, those of 1 MiB 27 MB.
 */
export function planMerges<T extends RunSize>(
  runs: readonly T[],
  means: MergeMeans,
): MergePlan<T> {
  const blockBytes = blockBytesOf(runs, means);
  const most = mostAtOnce(runs, means, BLOCK_BYTES);
  const mostLater = mostAtOnce(runs, means, blockBytes);
  const left = { runs: runs.length, indexBytes: sumOf(runs, indexBytes) };
  // One run may stay alone as it is.
  const alone = runs.reduce((max, run) => Math.max(max, indexBytes(run)), 0);
  const mostIndexed = Math.max(
    means.indexBytes,
    sumOf(runs, indexBytesIn(blockBytes)) + alone,
  );
  const isEnough = (mostRuns: number) =>
    left.runs <= mostRuns && left.indexBytes <= mostIndexed;
  const groups: T[][] = [];
  if (isEnough(most)) return { groups, blockBytes };
  for (let at = 0; at < runs.length - 1 && !isEnough(mostLater);) {
    const size = groupSize(runs, at);
    const group = runs.slice(at, at + size);
    groups.push(group);
    at += size;
  }
  return { groups, blockBytes };

  /** Takes runs in until it is full, or no more have to be merged. */
  function groupSize(all: readonly T[], from: number): number {
    const group = { bytes: 0, indexBytes: 0 };
    let size = 0;
    for (const run of all.slice(from, from + most)) {
      group.bytes += run.bytes;
      group.indexBytes += indexBytes(run);
      const isFull =
        group.bytes > MOST_BLOCKS * blockBytes ||
        group.indexBytes > means.indexBytes / means.workers;
      if (size >= 2 && (isFull || isEnough(mostLater))) break;
      left.runs -= size === 0 ? 0 : 1;
      left.indexBytes -= indexBytes(run) - indexBytesIn(blockBytes)(run);
      size++;
    }
    return size;
  }
}

/** What the index of a run takes in memory. */
export function indexBytes(run: RunSize): number {
  return indexBytesIn(run.blockBytes ?? BLOCK_BYTES)(run);
}

function indexBytesIn(blockBytes: number) {
  return ({ bytes }: RunSize) => Math.ceil(bytes / blockBytes) * INDEX_BYTES;
}

/** Blocks in which the indexes of all have room, as long as an arena holds enough of them. */
function blockBytesOf(runs: readonly RunSize[], means: MergeMeans): number {
  const most = Math.min(OUT_BYTES, means.arenaBytes / LEAST_BLOCKS);
  let blockBytes = BLOCK_BYTES;
  const isTooMuch = () =>
    sumOf(runs, indexBytesIn(blockBytes)) > means.indexBytes;
  while (isTooMuch() && 2 * blockBytes <= most) blockBytes *= 2;
  return blockBytes;
}

/** How many runs one merge can take, with blocks of so many bytes among theirs. */
function mostAtOnce(
  runs: readonly RunSize[],
  { arenaBytes, workers, openFiles }: MergeMeans,
  blockBytes: number,
): number {
  const longest = runs.reduce((most, run) => Math.max(most, run.longest), 0);
  const block = runs.reduce(
    (most, run) => Math.max(most, run.blockBytes ?? BLOCK_BYTES),
    blockBytes,
  );
  const files = Math.floor(openFiles / workers) - OUTPUT_FILES;
  return Math.max(2, Math.min(files, mostSources(arenaBytes, longest, block)));
}

function sumOf(
  runs: readonly RunSize[],
  bytesOf: (run: RunSize) => number,
): number {
  return runs.reduce((sum, run) => sum + bytesOf(run), 0);
}
