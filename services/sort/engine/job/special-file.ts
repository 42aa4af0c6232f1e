import { constants, createReadStream, openSync, statSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isatty, ReadStream } from "node:tty";

/**
 * Reads a FIFO, a device or a file of procfs from its start to its end. Whoever waits for a FIFO's writer, or for its next
 * bytes, waits in no thread of Node's: one that is blocked there would keep the process from its end.
 */
export function readSpecial(path: string, signal: AbortSignal): Readable {
  const stream = openStream(path);
  signal.addEventListener("abort", () => stream.destroy(), { once: true });
  return stream;
}

function openStream(path: string): Readable {
  const { O_RDONLY, O_NONBLOCK } = constants;
  if (statSync(path).isFIFO()) {
    const fd = openSync(path, O_RDONLY | O_NONBLOCK);
    return new Socket({ fd, readable: true, writable: false });
  }
  const fd = openSync(path, O_RDONLY);
  return isatty(fd) ? new ReadStream(fd) : createReadStream(path, { fd });
}
