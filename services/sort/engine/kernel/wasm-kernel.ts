import { readFileSync } from "node:fs";
import {
  LAYOUTS,
  TIES,
  UNIQUES,
  type Kernel,
  type KernelOrder,
} from "./kernel.ts";

const PAGE = 65_536;

/** Node has it; the types of browsers, which declare it, are not loaded here. */
declare const WebAssembly: {
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: boolean;
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: unknown };
};

/** What `assembly/index.ts` exports: its numbers are u32, its u64 are bigint, its addresses may come back signed. */
interface Exports {
  configure(...numbers: number[]): void;
  startChunk(refuseEqual: number, threshold: bigint): void;
  parseLines: Kernel["parseLines"];
  parseFixed: Kernel["parseFixed"];
  assembleKeyed: Kernel["assembleKeyed"];
  takePlainRows(...numbers: number[]): void;
  sortEntries: Kernel["sortEntries"];
  dropEqual(entries: number, count: number, keepLast: number): number;
  gather: Kernel["gather"];
  startMerge(
    state: number,
    sources: number,
    strip: number,
    hold: number,
    limit: bigint,
  ): void;
  feedSource: Kernel["feedSource"];
  buildTree: Kernel["buildTree"];
  resumeSource: Kernel["resumeSource"];
  merge: Kernel["merge"];
  findRecord(
    from: number,
    end: number,
    wanted: number,
    wantedLength: number,
    after: number,
    keysOnly: number,
  ): number;
  prefixOf(record: number, length: number): bigint;
  lengthAt(record: number, end: number): number;
}

/** The kernel in WebAssembly over a new memory of at least `bytes`. Throws where the engine lacks SIMD or threads. */
export function createWasmKernel(bytes: number): Kernel {
  const pages = Math.ceil(bytes / PAGE);
  const memory = new WebAssembly.Memory({
    initial: pages,
    maximum: pages,
    shared: true,
  });
  const code = readFileSync(new URL("./kernel.wasm", import.meta.url));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), {
    env: { memory },
  });
  // The module in the tree is compiled from `assembly/index.ts`, which exports these.
  const wasm = instance.exports as Exports;
  const { buffer } = memory;
  return {
    name: "wasm",
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    configure: (order) => wasm.configure(...numbersOf(order)),
    startChunk: (refuseEqual, threshold) =>
      wasm.startChunk(Number(refuseEqual), threshold),
    parseLines: wasm.parseLines,
    parseFixed: wasm.parseFixed,
    assembleKeyed: wasm.assembleKeyed,
    takePlainRows: (input, room, { separator, column, mask }) =>
      wasm.takePlainRows(
        input.from,
        input.limit,
        input.startLimit,
        separator,
        column,
        mask,
        room.table,
        room.rows,
        room.keys,
        room.keysEnd,
        room.bytes,
      ),
    sortEntries: wasm.sortEntries,
    dropEqual: (entries, count, keepLast) =>
      wasm.dropEqual(entries, count, Number(keepLast)) >>> 0,
    gather: wasm.gather,
    startMerge: (state, sources, strip, hold, limit) =>
      wasm.startMerge(state, sources, Number(strip), hold, limit),
    feedSource: wasm.feedSource,
    buildTree: wasm.buildTree,
    resumeSource: wasm.resumeSource,
    merge: wasm.merge,
    findRecord: (from, end, wanted, wantedLength, after, keysOnly) =>
      wasm.findRecord(
        from,
        end,
        wanted,
        wantedLength,
        Number(after),
        Number(keysOnly),
      ) >>> 0,
    prefixOf: (record, length) =>
      BigInt.asUintN(64, wasm.prefixOf(record, length)),
    lengthAt: (record, end) => wasm.lengthAt(record, end) >>> 0,
  };
}

function numbersOf(order: KernelOrder): number[] {
  return [
    LAYOUTS.indexOf(order.layout),
    order.delimiter,
    order.recordBytes,
    order.keyOffset,
    order.keyBytes,
    Number(order.reverse),
    TIES.indexOf(order.tie),
    UNIQUES.indexOf(order.unique),
    Number(order.hashing),
  ];
}
