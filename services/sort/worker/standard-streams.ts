import { once } from "node:events";
import type { SortInput, SortOutput } from "../engine/sort-spec.ts";

/** What comes in by standard input: the pipe is what holds the sender back. */
export function standardInput(
  compression: "auto" | "none" | "gzip" | "zstd",
): SortInput {
  return {
    kind: "stream",
    name: "the stream",
    open: () => process.stdin,
    compression,
  };
}

/** What goes out by standard output, as fast as it is read. */
export function standardOutput(
  compression: "none" | "gzip" | "zstd",
): SortOutput {
  return {
    kind: "stream",
    name: "the stream",
    // The engine takes its bytes back when this resolves, and a pipe may keep them for longer.
    write: async (bytes, signal) => {
      if (!process.stdout.write(Buffer.from(bytes))) {
        await once(process.stdout, "drain", { signal });
      }
    },
    compression,
  };
}
