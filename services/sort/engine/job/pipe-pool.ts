import { newPipe, openPipe } from "../worker/pipe.ts";
import { PIPE_BYTES } from "./sort-phase.ts";
import { untilAborted } from "./until-aborted.ts";

/** A bounded number of pipes, used again and again: memory of one that is dropped is free only when the collector has run. */
export class PipePool {
  readonly #free: SharedArrayBuffer[] = [];
  readonly #waiting: ((pipe: SharedArrayBuffer) => void)[] = [];
  #unmade: number;

  constructor(count: number) {
    this.#unmade = count;
  }

  /** Waits until there is one. */
  async take(signal: AbortSignal): Promise<SharedArrayBuffer> {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#unmade > 0) {
      this.#unmade--;
      return newPipe(PIPE_BYTES).shared;
    }
    const { promise, resolve } = Promise.withResolvers<SharedArrayBuffer>();
    this.#waiting.push(resolve);
    return untilAborted(promise, signal);
  }

  /** It must be empty, and nobody may write to it any more. */
  giveBack(pipe: SharedArrayBuffer): void {
    openPipe(pipe).reopen();
    const next = this.#waiting.shift();
    if (next) next(pipe);
    else this.#free.push(pipe);
  }
}
