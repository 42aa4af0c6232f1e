// The kernel's exports. Addresses are bytes of the one memory; what lies where is the caller's plan (see ../kernel.ts).
export { takePlainRows } from "./columns";
export { dropEqual, gather } from "./gather";
export {
  buildTree,
  feedSource,
  findRecord,
  lengthAt,
  merge,
  resumeSource,
  startMerge,
} from "./merge";
export { configure } from "./order";
export { assembleKeyed, parseFixed, parseLines, startChunk } from "./parse";
export { prefixOf } from "./records";
export { sortEntries } from "./sort";
