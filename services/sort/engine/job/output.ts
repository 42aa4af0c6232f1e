import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { pipeline, Transform, Writable, type Duplex } from "node:stream";
import { createGzip, createZstdCompress } from "node:zlib";
import { sortError } from "../sort-error.ts";
import type { SortOutput } from "../sort-spec.ts";
import { outputDiskFull } from "./full-disk.ts";
import { syncPath } from "./sync-path.ts";

/** Where the result goes: a file that workers write to at any place, or bytes in order. */
export type Output =
  | {
      readonly kind: "positional";
      readonly path: string;
      readonly partial: string;
    }
  | OrderedOutput;

interface OrderedOutput {
  readonly kind: "ordered";
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

/** The name that a file has while it is not whole; the same for the same job. */
export function partialPath(path: string, id: string): string {
  return join(dirname(path), `.${basename(path)}.${id}.partial`);
}

export function newJobId(): string {
  return randomBytes(6).toString("hex");
}

export interface OutputMeans {
  readonly signal: AbortSignal;
  /** Hears of bytes before they are written to a file in order; may throw. */
  readonly count: (bytes: number) => void;
}

/** Throws OUTPUT_FORBIDDEN or OUTPUT_FAILED where the output's folder cannot be written to. */
export async function openOutput(
  output: SortOutput,
  id: string,
  { signal, count }: OutputMeans,
): Promise<Output> {
  const compression = output.compression ?? "none";
  if (output.kind === "file") {
    const partial = partialPath(output.path, id);
    if (compression === "none") {
      await makePartial(output.path, partial);
      return { kind: "positional", path: output.path, partial };
    }
    await renewPartial(output.path, partial);
    const sink = compressed(compression, createWriteStream(partial), count);
    return toPlace(output.path, sink);
  }
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      void settle(output.write(chunk, signal), done);
    },
  });
  return toPlace(
    output.name,
    compression === "none" ? ordered(sink) : compressed(compression, sink),
  );
}

/** Has the whole output on the disk, still without its name. Once that is noted, nobody makes it again. */
export async function syncOutput(
  output: SortOutput,
  id: string,
): Promise<void> {
  if (output.kind === "file") await syncPath(partialPath(output.path, id));
}

/** Gives the whole output its name. */
export async function commitOutput(
  output: SortOutput,
  id: string,
  durable: boolean,
): Promise<void> {
  if (output.kind !== "file") return;
  await rename(partialPath(output.path, id), output.path);
  if (durable) await syncPath(dirname(output.path));
}

export async function dropOutput(
  output: SortOutput,
  id: string,
): Promise<void> {
  if (output.kind === "file") {
    await rm(partialPath(output.path, id), { force: true });
  }
}

/**
 * Puts an empty file in the place of a partial one. Whoever still has that open, and writes to it when it wakes up, writes
 * nowhere then.
 */
export async function renewPartial(
  path: string,
  partial: string,
): Promise<void> {
  await rm(partial, { force: true });
  await makePartial(path, partial);
}

/** The partial file has the mode of the file whose place it takes. */
async function makePartial(path: string, partial: string): Promise<void> {
  try {
    const old = await stat(path).catch(() => undefined);
    if (old?.isDirectory()) {
      throw sortError("OUTPUT_FAILED", `${path} is a folder`);
    }
    await using handle = await open(partial, "a");
    if (old) await handle.chmod(old.mode & 0o7777);
  } catch (error) {
    throw outputError(path, error);
  }
}

/** A system's error about an output, as ours. */
export function outputError(path: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const details = { cause: error, metadata: { output: path } };
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return sortError(
        "OUTPUT_FORBIDDEN",
        `${path} may not be written`,
        details,
      );
    case "ENOENT":
    case "ENOTDIR":
      return sortError(
        "OUTPUT_FAILED",
        `${path} cannot be written: its folder does not exist`,
        details,
      );
    case "ELOOP":
      return sortError(
        "OUTPUT_FAILED",
        `${path} cannot be written: its links lead in a circle`,
        details,
      );
    default:
      return outputDiskFull(path, error) ?? error;
  }
}

/** What goes wrong with it is told of where it goes. */
function toPlace(name: string, { write, end }: OrderedOutput): OrderedOutput {
  return {
    kind: "ordered",
    write: (bytes) => ofOutput(name, write(bytes)),
    end: () => ofOutput(name, end()),
  };
}

/** What the system has against this work, it has against the output. */
export async function ofOutput<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw outputDiskFull(path, error) ?? error;
  }
}

function compressed(
  compression: "gzip" | "zstd",
  sink: Writable,
  count: OutputMeans["count"] = () => {},
): OrderedOutput {
  const encoder: Duplex =
    compression === "gzip" ? createGzip({ level: 6 }) : createZstdCompress();
  // Whoever writes or ends sees what went wrong.
  pipeline(encoder, counted(count), sink, () => {});
  return ordered(encoder, sink);
}

function counted(count: OutputMeans["count"]): Transform {
  return new Transform({
    transform(bytes: Uint8Array, _encoding, done) {
      try {
        count(bytes.length);
        done(null, bytes);
      } catch (error) {
        done(asError(error));
      }
    },
  });
}

async function settle(
  work: Promise<void>,
  done: (error?: Error) => void,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    done(asError(error));
    return;
  }
  done();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function ordered(first: Writable, last: Writable = first): OrderedOutput {
  const done = finished(last);
  // Whoever ends it sees its error.
  done.catch(() => {});
  return {
    kind: "ordered",
    async write(bytes) {
      const error = await new Promise<unknown>((resolve) =>
        first.write(bytes, resolve),
      );
      if (!error) return;
      // It may only say that the stream is closed; the end says why.
      await done;
      throw error;
    },
    async end() {
      first.end();
      await done;
    },
  };
}
