import { RESULT, type Kernel, type KernelOrder } from "../kernel.ts";
import { dropEqual, gather } from "./gather.ts";
import type { Heap } from "./heap.ts";
import { findRecord, mergeRecords } from "./merge.ts";
import { feedSource, lengthAt, startMerge } from "./merge-sources.ts";
import { assembleKeyed, parseFixed, parseLines, startChunk } from "./parse.ts";
import { BUCKETS, DIGITS } from "./order-entries.ts";
import { putPrefix } from "./records.ts";
import { sortEntries } from "./sort.ts";
import { buildTree, replay } from "./tree-of-losers.ts";

const NO_ORDER: KernelOrder = {
  layout: "lines",
  delimiter: 10,
  recordBytes: 0,
  keyOffset: 0,
  keyBytes: 0,
  reverse: false,
  tie: "none",
  unique: "no",
  hashing: false,
};

/** The kernel without WebAssembly, for engines and policies that have none. */
export function createTypescriptKernel(size: number): Kernel {
  const buffer = new SharedArrayBuffer(size);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const heap: Heap = {
    bytes,
    view,
    order: NO_ORDER,
    counts: new Int32Array(DIGITS * BUCKETS),
    fetched: 0,
  };
  let chunk = startChunk();
  let merge = startMerge(0, 0, false, 0, 0n);
  return {
    name: "typescript",
    bytes,
    view,
    configure: (order) => {
      heap.order = order;
    },
    startChunk: (refuseEqual, threshold) => {
      chunk = startChunk(refuseEqual, threshold);
    },
    parseLines: (...args) => parseLines(heap, chunk, ...args),
    parseFixed: (...args) => parseFixed(heap, chunk, ...args),
    assembleKeyed: (...args) => assembleKeyed(heap, chunk, ...args),
    takePlainRows: ({ from }, room) => {
      // The extractor's own loop is as quick as one here would be.
      view.setUint32(RESULT, from, true);
      view.setUint32(RESULT + 4, 0, true);
      view.setUint32(RESULT + 8, room.keys, true);
      view.setUint32(RESULT + 12, 0, true);
    },
    sortEntries: (...args) => sortEntries(heap, ...args),
    dropEqual: (...args) => dropEqual(heap, ...args),
    gather: (...args) => gather(heap, ...args),
    startMerge: (...args) => {
      merge = startMerge(...args);
    },
    feedSource: (...args) => feedSource(heap, merge, ...args),
    buildTree: () => buildTree(heap, merge),
    resumeSource: (source) => replay(heap, merge, source),
    merge: (...args) => mergeRecords(heap, merge, ...args),
    findRecord: (...args) => findRecord(heap, ...args),
    prefixOf: (record, length) => {
      putPrefix(heap, RESULT, record, length);
      return view.getBigUint64(RESULT, true);
    },
    lengthAt: (...args) => lengthAt(heap, ...args),
  };
}
