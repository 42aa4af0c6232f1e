import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import { sortError } from "../sort-error.ts";
import type { Compression, SortInput } from "../sort-spec.ts";
import { readSpecial } from "./special-file.ts";

/** An input as the sort found it. */
export interface KnownInput {
  readonly name: string;
  readonly input: SortInput;
  /** "auto" of a stream: its first bytes tell. */
  readonly compression: Compression | "auto";
  /** Of the bytes as they are stored; undefined for streams. */
  readonly storedBytes: number | undefined;
  /** Of the records' bytes, where they are known before they are read. */
  readonly size: number | undefined;
  /** What changes when the bytes change; "" where nothing tells. */
  readonly identity: string;
  /** Set where workers can read the records themselves. */
  readonly path: string | undefined;
}

/** Looks at an input without reading it. Throws INPUT_MISSING, INPUT_FORBIDDEN or INPUT_UNREADABLE. */
export function knowInput(input: SortInput): KnownInput {
  switch (input.kind) {
    case "file":
      return knowFile(input);
    case "stream":
      return knowStream(input);
    case "ranges":
      return {
        name: input.name,
        input,
        compression: "none",
        storedBytes: input.size,
        size: input.size,
        identity: `${input.size} ${input.version}`,
        path: undefined,
      };
  }
}

/** Throws INPUT_CHANGED where a file is not what it was. */
export function checkUnchanged(known: KnownInput): void {
  if (known.input.kind !== "file") return;
  const now = knowFile(known.input).identity;
  if (now !== known.identity) {
    throw sortError(
      "INPUT_CHANGED",
      `${known.name} was changed while it was sorted`,
      { metadata: { input: known.name } },
    );
  }
}

type FileInput = Extract<SortInput, { kind: "file" }>;

function knowFile(input: FileInput): KnownInput {
  const { path } = input;
  try {
    const stat = statSync(path, { bigint: true });
    if (stat.isDirectory()) throw unreadable(path, "it is a folder");
    if (stat.isSocket()) throw unreadable(path, "it is a socket");
    if (!stat.isFile()) {
      // Opening it may wait for a writer, or be a writer's sign to begin.
      accessSync(path, constants.R_OK);
      return knowSpecial(input);
    }
    const head = readHead(path);
    // A file of procfs has no size, whatever it has to tell.
    if (stat.size === 0n && head.length > 0) return knowSpecial(input);
    const { compression: said = "auto" } = input;
    const compression = said === "auto" ? compressionOf(head) : said;
    const size = Number(stat.size);
    const isPlain = compression === "none";
    return {
      name: path,
      input,
      compression,
      storedBytes: size,
      size: isPlain ? size : undefined,
      identity: `${size} ${stat.mtimeNs} ${stat.ino}`,
      path: isPlain ? path : undefined,
    };
  } catch (error) {
    throw inputError(path, error);
  }
}

/** What can be read only once, or only in order, is a stream. */
function knowSpecial({ path, compression }: FileInput): KnownInput {
  return knowStream({
    kind: "stream",
    name: path,
    open(signal) {
      try {
        return readSpecial(path, signal);
      } catch (error) {
        throw inputError(path, error);
      }
    },
    ...(compression !== undefined && { compression }),
  });
}

function knowStream(input: Extract<SortInput, { kind: "stream" }>): KnownInput {
  return {
    name: input.name,
    input,
    compression: input.compression ?? "auto",
    storedBytes: undefined,
    size: undefined,
    identity: input.version ?? "",
    path: undefined,
  };
}

/** A file's first bytes; opening it tells whether it may be read at all. */
function readHead(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(4);
    return head.subarray(0, readSync(fd, head, 0, 4, 0));
  } finally {
    closeSync(fd);
  }
}

/** A system's error about an input, as ours. */
export function inputError(name: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const details = { cause: error, metadata: { input: name } };
  switch (code) {
    case "ENOENT":
      return sortError("INPUT_MISSING", `${name} does not exist`, details);
    case "EACCES":
    case "EPERM":
      return sortError("INPUT_FORBIDDEN", `${name} may not be read`, details);
    case "EISDIR":
      return unreadable(name, "it is a folder");
    case "ENXIO":
      return unreadable(name, "there is no such device");
    default:
      return error;
  }
}

function unreadable(name: string, why: string) {
  return sortError("INPUT_UNREADABLE", `${name} cannot be read: ${why}`, {
    metadata: { input: name },
  });
}

/** gzip is RFC 1952's 1f 8b 08, zstd RFC 8878's 28 b5 2f fd. */
export function compressionOf(head: Uint8Array): Compression {
  const [a, b, c, d] = head;
  if (a === 0x1f && b === 0x8b && c === 8) return "gzip";
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "zstd";
  return "none";
}
