import { ARENA, ENTRY, SLACK } from "../kernel/kernel.ts";

/** Where things lie in a worker's one memory while it sorts. The same memory holds a merge's buffers later. */
export interface Area {
  readonly start: number;
  readonly end: number;
}

/** What one write to a run or the output carries at most. */
export const OUT_BYTES = 4 << 20;

export function outArea(): Area {
  return { start: ARENA, end: ARENA + OUT_BYTES };
}

export function workArea(arenaBytes: number): Area {
  return { start: ARENA + OUT_BYTES + SLACK, end: arenaBytes - SLACK };
}

export interface ChunkLayout {
  readonly data: Area;
  readonly entries: number;
  /** How many entries fit, with as much room again for the sort. */
  readonly capacity: number;
}

/** Shares an area between records of about `average` bytes and their entries. */
export function layOutChunk(area: Area, average: number): ChunkLayout {
  const room = area.end - area.start - 2 * SLACK;
  // 2 % more entries than the average says: running out of them ends a chunk as running out of bytes does.
  const share = average / (average + 2.04 * ENTRY);
  const bytes = Math.floor((room * share) / ENTRY) * ENTRY;
  const entries = align(area.start + bytes + SLACK);
  return {
    data: { start: area.start, end: area.start + bytes },
    entries,
    capacity: Math.floor((area.end - entries) / (2 * ENTRY)),
  };
}

function align(address: number): number {
  return Math.ceil(address / ENTRY) * ENTRY;
}
