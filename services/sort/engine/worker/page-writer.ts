import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { Kernel } from "../kernel/kernel.ts";
import { writeAll } from "./run-writer.ts";

/** What direct I/O is aligned to, in memory and in the file; no block device asks for more. */
export const PAGE = 4096;

/** A file that is written on from a position. */
export interface PageTarget {
  readonly path: string;
  readonly position: number;
  /** Past the page cache, where the file system can do that. */
  readonly isDirect: boolean;
}

/**
 * Writes a file from an area of the arena. Past the page cache only whole pages are written: what is left of the last one
 * stays in the area for the next write, and the two ends of it all go through the cache.
 */
export class PageWriter implements Disposable {
  readonly #kernel: Kernel;
  readonly #start: number;
  readonly fd: number;
  #direct: number | undefined;
  #position: number;
  #from: number;

  /** `start` is a page's edge, and the area a page longer than what is written at once. */
  constructor(kernel: Kernel, start: number, target: PageTarget) {
    this.#kernel = kernel;
    this.#start = start;
    this.#position = target.position;
    this.fd = openSync(target.path, "r+");
    this.#direct = target.isDirect ? openDirect(target.path) : undefined;
    this.#from = this.#begin();
  }

  /** Where in the arena the next byte belongs that is not written yet. */
  get from(): number {
    return this.#from;
  }

  /** Writes what lies up to `end`, whole pages of it at least; returns where the next byte belongs. */
  write(end: number): number {
    if (this.#direct === undefined) return this.flush(end);
    const edge = Math.ceil(this.#position / PAGE) * PAGE - this.#position;
    if (edge > 0) this.#writeCached(Math.min(end, this.#from + edge));
    this.#writeDirect(end - ((end - this.#from) % PAGE));
    this.#kernel.bytes.copyWithin(this.#start, this.#from, end);
    const rest = end - this.#from;
    this.#from = this.#begin();
    return this.#from + rest;
  }

  /** Writes all that lies up to `end`. */
  flush(end: number): number {
    this.#writeCached(end);
    this.#from = this.#begin();
    return this.#from;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
    this.#closeDirect();
  }

  /** The same place of a page in memory as in the file. */
  #begin(): number {
    return (
      this.#start + (this.#direct === undefined ? 0 : this.#position % PAGE)
    );
  }

  #writeDirect(end: number): void {
    try {
      while (this.#direct !== undefined && this.#from < end) {
        const bytes = this.#kernel.bytes.subarray(this.#from, end);
        const { length } = bytes;
        this.#advance(
          writeSync(this.#direct, bytes, 0, length, this.#position),
        );
      }
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#closeDirect();
    }
    this.#writeCached(end);
  }

  #writeCached(end: number): void {
    const bytes = this.#kernel.bytes.subarray(this.#from, end);
    writeAll(this.fd, bytes, this.#position);
    this.#advance(bytes.length);
  }

  #advance(bytes: number): void {
    this.#from += bytes;
    this.#position += bytes;
  }

  #closeDirect(): void {
    if (this.#direct !== undefined) closeSync(this.#direct);
    this.#direct = undefined;
  }
}

function openDirect(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT);
  } catch (error) {
    if (isRefused(error)) return undefined;
    throw error;
  }
}

/** The file system has no direct I/O, or not from this memory. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EINVAL";
}
