import { storedBytes } from "../kernel/kernel.ts";
import { workArea, type Area } from "./arena.ts";
import { BlockReader } from "./block-reader.ts";
import type { WorkerDeps } from "./chunk.ts";
import type { LocateTask, Place, Wanted } from "./tasks.ts";
import { outBytesOf } from "./write-run.ts";

/** Finds where in a run each of the wanted records (in order) has its place. */
export function locate(deps: WorkerDeps, task: LocateTask): Place[] {
  using reader = new BlockReader(deps.kernel, task.data, task.index);
  const search = { deps, task, reader };
  return task.wanted.map((wanted) => findPlace(search, wanted));
}

interface Search {
  readonly deps: WorkerDeps;
  readonly task: LocateTask;
  readonly reader: BlockReader;
}

function findPlace(search: Search, wanted: Wanted): Place {
  const { deps, task } = search;
  const { kernel } = deps;
  const { start, end } = workArea(deps.setup.arenaBytes);
  kernel.bytes.set(wanted.stored, start);
  const sought = {
    at: start,
    length: wanted.stored.length - storedBytes(deps.order, 0),
    after: wanted.after,
    prefix: 0n,
  };
  sought.prefix = kernel.prefixOf(sought.at, sought.length);
  const area = { start: start + wanted.stored.length + 64, end };
  const block = lastBlockBefore(search, sought, area);
  const { offsets, outOffsets, blocks } = task.index;
  if (block < 0) {
    return { offset: offsets[0] ?? 0, outOffset: outOffsets[0] ?? 0 };
  }
  const bytes = readBlock(search, block, area);
  const found = find(search, sought, area.start, area.start + bytes);
  if (found === area.start + bytes && block + 1 <= blocks) {
    return {
      offset: offsets[block + 1] ?? 0,
      outOffset: outOffsets[block + 1] ?? 0,
    };
  }
  return {
    offset: (offsets[block] ?? 0) + found - area.start,
    outOffset: (outOffsets[block] ?? 0) + outBytesOf(deps, area.start, found),
  };
}

interface Sought {
  readonly at: number;
  readonly length: number;
  readonly after: boolean;
  readonly prefix: bigint;
}

/** The last block whose first record is before the place; -1 if none is. */
function lastBlockBefore(search: Search, sought: Sought, area: Area): number {
  let low = -1;
  let high = search.task.index.blocks;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (isBefore(search, sought, middle, area)) low = middle;
    else high = middle;
  }
  return low;
}

function isBefore(
  search: Search,
  sought: Sought,
  block: number,
  area: Area,
): boolean {
  const prefix = search.task.index.prefixes[block] ?? 0n;
  if (prefix !== sought.prefix) return prefix < sought.prefix;
  const bytes = readBlock(search, block, area);
  const { kernel, order } = search.deps;
  const length = kernel.lengthAt(area.start, area.start + bytes);
  const end = area.start + storedBytes(order, length);
  return find(search, sought, area.start, end) === end;
}

function readBlock({ task, reader }: Search, block: number, area: Area) {
  const { offsets } = task.index;
  const bytes = (offsets[block + 1] ?? 0) - (offsets[block] ?? 0);
  reader.read(block, { start: area.start, end: area.start + bytes });
  return bytes;
}

function find(
  { deps, task }: Search,
  sought: Sought,
  from: number,
  end: number,
): number {
  return deps.kernel.findRecord(
    from,
    end,
    sought.at,
    sought.length,
    sought.after,
    task.keysOnly,
  );
}
