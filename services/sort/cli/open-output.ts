import { constants, createWriteStream, openSync, type Stats } from "node:fs";
import { readlink, realpath, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { basename, dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { outputError } from "../engine/job/output.ts";
import { sortError } from "../engine/sort-error.ts";
import type { SortOutput } from "../engine/sort-spec.ts";
import type { SortArgs } from "./parse-args.ts";

/** Where a sort writes; what is open is closed behind it. */
export interface OpenOutput extends AsyncDisposable {
  readonly output: SortOutput;
}

const LOOK_AGAIN_MS = 50;

/**
 * The output that the command line names. Behind a symlink its target is what is sorted; a FIFO, a device or what is open
 * already (/dev/stdout) is written to, and never replaced by a file. Throws a DomainError of the output.
 */
export async function openOutput(
  stdout: Writable,
  { output: path, outputCompression: compression = "none" }: SortArgs,
  signal: AbortSignal,
): Promise<OpenOutput> {
  if (path === undefined) {
    const output = written("-", stdout, compression);
    return { output, async [Symbol.asyncDispose]() {} };
  }
  try {
    const target = await targetOf(path, signal);
    if (typeof target === "string") {
      const output = { kind: "file", path: target, compression } as const;
      return { output, async [Symbol.asyncDispose]() {} };
    }
    return {
      output: written(path, target, compression),
      async [Symbol.asyncDispose]() {
        target.end();
        // Every write was waited for: what goes wrong now was told, or takes nothing away.
        await finished(target).catch(() => {});
      },
    };
  } catch (error) {
    throw outputError(path, error);
  }
}

function written(
  name: string,
  sink: Writable,
  compression: NonNullable<SortOutput["compression"]>,
): SortOutput {
  return {
    kind: "stream",
    name,
    compression,
    write: (bytes) =>
      new Promise((done, fail) => {
        sink.write(bytes, (error) => (error ? fail(error) : done()));
      }),
  };
}

/** The path of a file that is made or replaced, or a sink for what cannot be. */
async function targetOf(
  path: string,
  signal: AbortSignal,
): Promise<string | Writable> {
  const found = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found && !found.isFile() && !found.isDirectory()) {
    return openSpecial(path, found, signal);
  }
  const target = await behindLinks(path);
  return typeof target === "string"
    ? target
    : createWriteStream(path, { fd: target, autoClose: false });
}

/** A path, or the number of a file that this process has open. A link may name a file that is yet to be made. */
async function behindLinks(path: string): Promise<string | number> {
  const folder = await realpath(dirname(path));
  if (folder === `/proc/${process.pid}/fd`) return Number(basename(path));
  const link = await readlink(path).catch(() => undefined);
  return link === undefined ? path : behindLinks(resolve(folder, link));
}

/** No thread waits in it, for a FIFO's reader or for room: one that is blocked would keep the process from its end. */
async function openSpecial(
  path: string,
  found: Stats,
  signal: AbortSignal,
): Promise<Writable> {
  if (found.isSocket()) {
    throw sortError("OUTPUT_FAILED", `${path} is a socket`);
  }
  const sink = found.isFIFO()
    ? new Socket({
        fd: await openFifo(path, signal),
        readable: false,
        writable: true,
      })
    : createWriteStream(path, { fd: openSync(path, constants.O_WRONLY) });
  // Whoever writes hears of it.
  sink.on("error", () => {});
  signal.addEventListener("abort", () => sink.destroy(), { once: true });
  return sink;
}

/** Opens a FIFO once somebody reads it. */
async function openFifo(path: string, signal: AbortSignal): Promise<number> {
  while (!signal.aborted) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (codeOf(error) !== "ENXIO") throw error;
    }
    await delay(LOOK_AGAIN_MS);
  }
  throw sortError("CANCELLED", "the sort was cancelled");
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
