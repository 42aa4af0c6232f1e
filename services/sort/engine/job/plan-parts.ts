import type { RunIndex } from "../run-file.ts";
import type { Place, Slice, Wanted } from "../worker/tasks.ts";
import { together, type Job } from "./job.ts";
import { chooseSplitters, type OpenRun, type Splitter } from "./splitters.ts";

/** How the last merge is divided among workers: for each part, where it begins in each run and in the output. */
export interface PartPlan {
  readonly runs: readonly number[];
  /** One more than there are parts, for the end. */
  readonly starts: readonly (readonly number[])[];
  readonly outStarts: readonly number[];
}

/** A smaller part is not worth its start; more parts than these even out what the sample misjudged. */
const PART_BYTES = 16 << 20;
const PARTS_A_WORKER = 6;

/** Divides the merge of all runs into parts of about the same size. */
export async function planParts(
  job: Job,
  runs: readonly OpenRun[],
): Promise<PartPlan> {
  const splitters = chooseSplitters(job.plan.order, runs, partsOf(job));
  const places = await locateAll(job, runs, splitters);
  const edges = [
    runs.map(({ index }) => edge(index, 0)),
    ...splitters.map((_, i) => places.map((row) => row[i] ?? noPlace)),
    runs.map(({ index }) => edge(index, index.blocks)),
  ];
  return {
    runs: runs.map(({ id }) => id),
    starts: edges.map((row) => row.map(({ offset }) => offset)),
    outStarts: edges.map((row) =>
      row.reduce((sum, { outOffset }) => sum + outOffset, 0),
    ),
  };
}

const noPlace: Place = { offset: 0, outOffset: 0 };

function edge(index: RunIndex, block: number): Place {
  return {
    offset: index.offsets[block] ?? 0,
    outOffset: index.outOffsets[block] ?? 0,
  };
}

function partsOf({ runs, pool, spec }: Job): number {
  if (spec.top !== undefined) return 1;
  const bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
  const most = pool.workers.length * PARTS_A_WORKER;
  return Math.max(1, Math.min(most, Math.floor(bytes / PART_BYTES)));
}

/** For each run the places of all splitters. */
async function locateAll(
  job: Job,
  runs: readonly OpenRun[],
  splitters: readonly Splitter[],
): Promise<Place[][]> {
  const places: Place[][] = runs.map(() => []);
  if (splitters.length === 0) return places;
  const keysOnly = job.plan.order.unique !== "no";
  const waiting = [...runs.keys()];
  const work = job.pool.workers.map(async (worker) => {
    for (let i = waiting.shift(); i !== undefined; i = waiting.shift()) {
      // It comes from the list of their indexes.
      const run = runs[i] as OpenRun;
      const wanted = splitters.map((splitter) =>
        wantedIn(i, splitter, keysOnly),
      );
      const { data, index } = run;
      places[i] = [
        ...(await worker.run({
          kind: "locate",
          data,
          index,
          wanted,
          keysOnly,
        })),
      ];
    }
  });
  await together(job, work);
  if (!keysOnly) keepOwnPlaces(runs, splitters, places);
  return places;
}

/**
 * Records with the splitter's key that lie in an earlier run come before it, those in a later run behind it. Where equal
 * keys are dropped, all of a key must meet in one part.
 */
function wantedIn(
  run: number,
  { stored, run: own }: Splitter,
  keysOnly: boolean,
): Wanted {
  return { stored, after: !keysOnly && run < own };
}

/** In its own run a splitter divides exactly where it lies, even within equal records. */
function keepOwnPlaces(
  runs: readonly OpenRun[],
  splitters: readonly Splitter[],
  places: readonly Place[][],
): void {
  splitters.forEach(({ run, offset }, i) => {
    const index = runs[run]?.index;
    const row = places[run];
    if (!index || !row) return;
    // Splitters are first records of blocks.
    row[i] = edge(index, index.offsets.indexOf(offset));
  });
}

/** The slices of a part, runs without records in it left out; each index holds just the blocks that it touches. */
export function slicesOf(
  plan: PartPlan,
  runs: readonly OpenRun[],
  part: number,
): Slice[] {
  return runs.flatMap(({ data, index }, i) => {
    const from = plan.starts[part]?.[i] ?? 0;
    const to = plan.starts[part + 1]?.[i] ?? 0;
    if (from >= to) return [];
    return [{ data, index: cutIndex(index, from, to), from, to }];
  });
}

function cutIndex(index: RunIndex, from: number, to: number): RunIndex {
  let first = 0;
  while ((index.offsets[first + 1] ?? Infinity) <= from) first++;
  let end = first;
  while (end < index.blocks && (index.offsets[end] ?? 0) < to) end++;
  return {
    blocks: end - first,
    offsets: index.offsets.slice(first, end + 1),
    outOffsets: index.outOffsets.slice(first, end + 1),
    prefixes: index.prefixes.slice(first, end),
    crcs: index.crcs.slice(first, end),
  };
}
