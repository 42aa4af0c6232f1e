import { createReadStream } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import type { PaymentIntent, Refund } from "./payment-intent.ts";

/** One thing that happened, and the answer that tells it: one line, so that both are durable or neither. */
export interface JournalEntry {
  readonly at: string;
  readonly type:
    | "payment_intent.authorized"
    | "payment_intent.declined"
    | "payment_intent.captured"
    | "payment_intent.canceled"
    | "refund.created"
    | "request.failed";
  readonly payment_intent?: PaymentIntent;
  readonly refund?: Refund;
  readonly idempotency?: StoredAnswer;
}

/** The first answer to an `Idempotency-Key`. */
export interface StoredAnswer {
  readonly key: string;
  /** Of method, path and body: the same key with another one is refused. */
  readonly fingerprint: string;
  readonly status: number;
  readonly body: string;
}

export interface Journal extends AsyncDisposable {
  /** Queues a line. It is durable once `flushed` resolves. */
  readonly append: (entry: JournalEntry) => void;
  /** Resolves when every line queued so far is on the disk (fdatasync). */
  readonly flushed: () => Promise<void>;
  /** The whole durable journal, NDJSON. */
  readonly read: () => Readable;
}

/**
 * Opens the journal in `path`, hands every entry to `replay`, and drops a last
 * line that a crash cut short. Appends are written in groups: one fdatasync
 * serves every request that waited during the one before.
 *
 * @throws Error when a line before the last is damaged: the truth is lost then.
 */
export async function openJournal(
  path: string,
  replay: (entry: JournalEntry) => void,
): Promise<Journal> {
  const file = await open(path, "a+");
  let durableBytes = await replayLines(file, replay);
  await file.truncate(durableBytes);

  let queued: string[] = [];
  let writing = Promise.resolve();
  let scheduled: Promise<void> | undefined;

  async function writeGroup(): Promise<void> {
    const group = Buffer.from(queued.join(""));
    queued = [];
    await file.appendFile(group);
    await file.datasync();
    durableBytes += group.length;
  }

  function flushed(): Promise<void> {
    if (queued.length === 0) return writing;
    // After a write that fails, memory is ahead of the disk: the rejected
    // promise stays, so no later answer goes out before a restart.
    scheduled ??= writing.then(() => {
      scheduled = undefined;
      writing = writeGroup();
      return writing;
    });
    return scheduled;
  }

  return {
    append: (entry) => void queued.push(`${JSON.stringify(entry)}\n`),
    flushed,
    read: () =>
      durableBytes === 0
        ? Readable.from([])
        : createReadStream(path, { end: durableBytes - 1 }),
    async [Symbol.asyncDispose]() {
      await flushed();
      await file.close();
    },
  };
}

async function replayLines(
  file: FileHandle,
  replay: (entry: JournalEntry) => void,
): Promise<number> {
  const text = await file.readFile("utf8");
  const end = text.lastIndexOf("\n") + 1;
  const lines = text.slice(0, end).split("\n").slice(0, -1);
  for (const [index, line] of lines.entries()) {
    try {
      // The process wrote the line itself, as a JournalEntry.
      replay(JSON.parse(line) as JournalEntry);
    } catch (error) {
      throw new Error(`line ${index + 1} of the journal is damaged`, {
        cause: error,
      });
    }
  }
  return Buffer.byteLength(text.slice(0, end));
}
