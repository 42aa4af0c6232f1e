/**
 * A bounded ring of bytes from one thread to another over shared memory: one side may block (a worker), the other waits
 * asynchronously (the main thread). It is how bytes reach and leave workers that only the main thread can read or write.
 */
export interface Pipe {
  readonly shared: SharedArrayBuffer;
  /** Blocks until there are bytes; 0 at the end. Throws what `check` throws. */
  readSync(target: Uint8Array, check: () => void): number;
  /** Blocks until all is taken in. */
  writeSync(bytes: Uint8Array, check: () => void): void;
  read(target: Uint8Array, signal: AbortSignal): Promise<number>;
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** The writer's end: what is in it can still be read. */
  close(): void;
  /** For the next writer of one that is closed and empty; the last one must have let go of it. */
  reopen(): void;
}

const FILLED = 0;
const CLOSED = 1;
const READ_AT = 2;
const WRITE_AT = 3;
const HEADER = 16;
/** A lost wake-up costs no more than this. */
const NAP_MS = 50;

export function newPipe(capacity: number): Pipe {
  return openPipe(new SharedArrayBuffer(HEADER + capacity));
}

export function openPipe(shared: SharedArrayBuffer): Pipe {
  const head = new Int32Array(shared, 0, HEADER / 4);
  const ring = new Uint8Array(shared, HEADER);
  const filled = () => Atomics.load(head, FILLED);
  const isClosed = () => Atomics.load(head, CLOSED) !== 0;
  const move = (index: number, by: number) => {
    const at = Atomics.load(head, index);
    Atomics.store(head, index, (at + by) % ring.length);
    return at;
  };

  /** Takes what lies in one piece; 0 where there is nothing. */
  const take = (target: Uint8Array): number => {
    const at = Atomics.load(head, READ_AT);
    const bytes = Math.min(filled(), ring.length - at, target.length);
    if (bytes === 0) return 0;
    target.set(ring.subarray(at, at + bytes));
    move(READ_AT, bytes);
    Atomics.sub(head, FILLED, bytes);
    Atomics.notify(head, FILLED);
    return bytes;
  };

  const put = (source: Uint8Array): number => {
    const at = Atomics.load(head, WRITE_AT);
    const room = Math.min(ring.length - filled(), ring.length - at);
    const bytes = Math.min(room, source.length);
    if (bytes === 0) return 0;
    ring.set(source.subarray(0, bytes), at);
    move(WRITE_AT, bytes);
    Atomics.add(head, FILLED, bytes);
    Atomics.notify(head, FILLED);
    return bytes;
  };

  const nap = async (value: number, signal: AbortSignal) => {
    signal.throwIfAborted();
    await Atomics.waitAsync(head, FILLED, value, NAP_MS).value;
    signal.throwIfAborted();
  };

  return {
    shared,
    readSync(target, check) {
      for (;;) {
        const closed = isClosed();
        const bytes = take(target);
        if (bytes > 0 || closed) return bytes;
        check();
        Atomics.wait(head, FILLED, 0, NAP_MS);
      }
    },
    writeSync(bytes, check) {
      let rest = bytes;
      while (rest.length > 0) {
        rest = rest.subarray(put(rest));
        if (rest.length === 0) return;
        check();
        Atomics.wait(head, FILLED, ring.length, NAP_MS);
      }
    },
    async read(target, signal) {
      for (;;) {
        const closed = isClosed();
        const bytes = take(target);
        if (bytes > 0 || closed) return bytes;
        await nap(0, signal);
      }
    },
    async write(bytes, signal) {
      let rest = bytes;
      while (rest.length > 0) {
        rest = rest.subarray(put(rest));
        if (rest.length > 0) await nap(ring.length, signal);
      }
    },
    close() {
      Atomics.store(head, CLOSED, 1);
      Atomics.notify(head, FILLED);
    },
    reopen: () => void Atomics.store(head, CLOSED, 0),
  };
}
