import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { DomainError } from "../../platform/runtime/errors.ts";
import { startJobProcess } from "../clients/job-process.ts";
import type { JobResult } from "../domain/sort-job.ts";
import type { RecordOrder } from "../domain/sort-plan.ts";
import { codeOfFault } from "../engine/sort-error.ts";
import { streamsBusy, streamTooLarge } from "../domain/sort-refusals.ts";
import type { WorkOrder } from "../domain/work-order.ts";
import type { Share } from "./write-order.ts";

export interface SortStreamDeps {
  readonly streams: StreamSlots;
  readonly share: Share;
  /** Of this process alone. */
  readonly streamFolder: string;
  readonly workerEnv: Readonly<Record<string, string>>;
  readonly silentSeconds: number;
  readonly newId: () => string;
  readonly maxStreamBytes: number;
}

export interface StreamOrder {
  readonly order: RecordOrder;
  readonly inputCompression: "auto" | "none" | "gzip" | "zstd";
  readonly outputCompression: "none" | "gzip" | "zstd";
}

export type StreamPiece =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "summary"; readonly result: JobResult };

/** How many streams are sorted at a time. */
export interface StreamSlots {
  /** @throws DomainError STREAMS_BUSY. */
  take(): Disposable;
}

export function streamSlots(limit: number): StreamSlots {
  let free = limit;
  return {
    take() {
      if (free === 0) throw streamsBusy(limit);
      free -= 1;
      return { [Symbol.dispose]: () => void (free += 1) };
    },
  };
}

/** The stream's process outlives its call by nothing, so it needs no lease but its call. */
const leaseMs = 2 ** 30;
const chunkBytes = 256 * 1024;

/**
 * Sorts what comes, in a process of its own, and yields it, and a summary at the end. Pipes on both sides hold back whoever
 * is faster.
 *
 * @throws DomainError STREAMS_BUSY, STREAM_TOO_LARGE, or the engine's.
 */
export async function* sortStream(
  deps: SortStreamDeps,
  stream: StreamOrder,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<StreamPiece> {
  using _slot = deps.streams.take();
  const folder = join(deps.streamFolder, deps.newId());
  const order: WorkOrder = { ...stream, kind: "stream", folder, ...deps.share };
  const work = startJobProcess(
    {
      onProgress: () => undefined,
      answer: async () => {
        throw new Error("a stream's process has nothing to ask");
      },
      env: deps.workerEnv,
      silentSeconds: deps.silentSeconds,
    },
    order,
    leaseMs,
  );
  const { stdin, stdout } = work;
  if (!stdin || !stdout) throw new Error("the process has no streams");
  signal.addEventListener("abort", work.kill, { once: true });
  // A process that ends early breaks the pipe; how it ended says more.
  stdin.on("error", () => undefined);
  const feeding = feed(stdin, input, deps.maxStreamBytes, signal);
  // What the client does wrong ends the process, and is told below.
  feeding.catch(work.kill);
  try {
    for await (const bytes of stdout) {
      // A pipe of a child yields buffers.
      yield* pieces(bytes as Buffer);
    }
    const end = await work.ended;
    if (end.kind === "done") {
      yield { kind: "summary", result: end.result };
      return;
    }
    if (end.kind === "lost") {
      await feeding;
      signal.throwIfAborted();
      throw new Error(`the stream's process was lost: ${end.how}`);
    }
    const code = codeOfFault(end.failure.reason);
    throw new DomainError({ code, ...end.failure });
  } finally {
    signal.removeEventListener("abort", work.kill);
    work.kill();
    await work.ended;
    await rm(folder, { recursive: true, force: true });
  }
}

async function feed(
  stdin: Writable,
  input: AsyncIterable<Uint8Array>,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  let taken = 0;
  for await (const bytes of input) {
    taken += bytes.length;
    if (taken > limit) throw streamTooLarge(limit);
    if (stdin.destroyed) return;
    if (!stdin.write(bytes)) {
      await Promise.race([
        once(stdin, "drain", { signal }),
        once(stdin, "close", { signal }),
      ]);
    }
  }
  stdin.end();
}

function* pieces(bytes: Buffer): Generator<StreamPiece> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    yield { kind: "chunk", bytes: bytes.subarray(at, at + chunkBytes) };
  }
}
