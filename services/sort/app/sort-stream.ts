import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { DomainError } from "../../platform/runtime/errors.ts";
import { startJobProcess } from "../clients/job-process.ts";
import type { JobResult } from "../domain/sort-job.ts";
import type { RecordOrder } from "../domain/sort-plan.ts";
import { codeOfFault } from "../engine/sort-error.ts";
import { streamIdle, streamTooLarge } from "../domain/sort-refusals.ts";
import type { WorkOrder } from "../domain/work-order.ts";
import { after } from "./idle-streams.ts";
import type { StreamSlots } from "./stream-slots.ts";
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
  /** How long a client may take to send, or to take, what it is waited for. */
  readonly streamIdleMs: number;
}

export interface StreamOrder {
  readonly tenant: string;
  readonly order: RecordOrder;
  readonly inputCompression: "auto" | "none" | "gzip" | "zstd";
  readonly outputCompression: "none" | "gzip" | "zstd";
}

export type StreamPiece =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "summary"; readonly result: JobResult };

/** The stream's process outlives its call by nothing, so it needs no lease but its call. */
const leaseMs = 2 ** 30;
const chunkBytes = 256 * 1024;

/**
 * Sorts what comes, in a process of its own, and yields it, and a summary at the end. Pipes on both sides hold back whoever
 * is faster. A client that takes nothing loses its slot, its process and its room on the disk while it is waited for.
 *
 * @throws DomainError STREAMS_BUSY, STREAM_TOO_LARGE, STREAM_IDLE, or the engine's.
 */
export async function* sortStream(
  deps: SortStreamDeps,
  { tenant, ...stream }: StreamOrder,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<StreamPiece> {
  using slot = deps.streams.take(tenant);
  const folder = join(deps.streamFolder, deps.newId());
  const order: WorkOrder = { ...stream, kind: "stream", folder, ...deps.share };
  const { work, stdin, stdout } = startStreamProcess(deps, order);
  signal.addEventListener("abort", work.kill, { once: true });
  // A process that ends early breaks the pipe; how it ended says more.
  stdin.on("error", () => undefined);
  const feeding = feed(stdin, input, deps.maxStreamBytes, signal);
  // What the client does wrong ends the process, and is told below.
  feeding.catch(work.kill);
  let isIdle = false;
  const leave = async () => {
    work.kill();
    // A process counts as ended when nothing of what it wrote is left to read.
    stdout.destroy();
    await work.ended;
    await rm(folder, { recursive: true, force: true });
    slot[Symbol.dispose]();
  };
  const leaveIdle = () => {
    isIdle = true;
    // What fails here is tried again, and told, when the call ends.
    leave().catch(() => undefined);
  };
  try {
    for await (const bytes of stdout) {
      // A pipe of a child yields buffers.
      for (const piece of pieces(bytes as Buffer)) {
        using _late = after(deps.streamIdleMs, leaveIdle);
        yield piece;
        if (isIdle) throw streamIdle("taken", deps.streamIdleMs);
      }
    }
    const end = await work.ended;
    if (end.kind === "done") {
      await leave();
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
    await leave();
  }
}

function startStreamProcess(deps: SortStreamDeps, order: WorkOrder) {
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
  return { work, stdin, stdout };
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
