import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { Writable, type Duplex } from "node:stream";
import { createGzip, createZstdCompress } from "node:zlib";
import { sortError } from "../sort-error.ts";
import type { SortOutput } from "../sort-spec.ts";
import { outputDiskFull } from "./full-disk.ts";

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

/** Throws OUTPUT_FORBIDDEN or OUTPUT_FAILED where the output's folder cannot be written to. */
export async function openOutput(
  output: SortOutput,
  id: string,
  signal: AbortSignal,
): Promise<Output> {
  const compression = output.compression ?? "none";
  if (output.kind === "file") {
    const partial = partialPath(output.path, id);
    await makePartial(output.path, partial);
    if (compression === "none") {
      return { kind: "positional", path: output.path, partial };
    }
    return toFile(
      output.path,
      compressed(compression, createWriteStream(partial)),
    );
  }
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      void settle(output.write(chunk, signal), done);
    },
  });
  return compression === "none" ? ordered(sink) : compressed(compression, sink);
}

/** Gives the whole output its name. */
export async function commitOutput(
  output: SortOutput,
  id: string,
  durable: boolean,
): Promise<void> {
  if (output.kind !== "file") return;
  const partial = partialPath(output.path, id);
  if (durable) await sync(partial);
  await rename(partial, output.path);
  if (durable) await sync(dirname(output.path));
}

export async function dropOutput(
  output: SortOutput,
  id: string,
): Promise<void> {
  if (output.kind === "file") {
    await rm(partialPath(output.path, id), { force: true });
  }
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path, "r");
  await handle.sync();
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
    default:
      return outputDiskFull(path, error) ?? error;
  }
}

/** What goes wrong with it is told of the file. */
function toFile(path: string, { write, end }: OrderedOutput): OrderedOutput {
  return {
    kind: "ordered",
    write: (bytes) => ofOutput(path, write(bytes)),
    end: () => ofOutput(path, end()),
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
): OrderedOutput {
  const encoder: Duplex =
    compression === "gzip" ? createGzip({ level: 6 }) : createZstdCompress();
  encoder.on("error", (error) => sink.destroy(error));
  sink.on("error", (error) => encoder.destroy(error));
  encoder.pipe(sink);
  return ordered(encoder, sink);
}

async function settle(
  work: Promise<void>,
  done: (error?: Error) => void,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    done(error instanceof Error ? error : new Error(String(error)));
    return;
  }
  done();
}

function ordered(first: Writable, last: Writable = first): OrderedOutput {
  let failure: unknown;
  last.on("error", (error: unknown) => (failure = error));
  const done = finished(last);
  // Whoever ends it sees its error.
  done.catch(() => {});
  return {
    kind: "ordered",
    async write(bytes) {
      if (failure) throw failure;
      await new Promise<void>((resolve, reject) =>
        first.write(bytes, (error) => (error ? reject(error) : resolve())),
      );
    },
    async end() {
      first.end();
      await done;
    },
  };
}
