import { percentile } from "../median.ts";

/** More than are measured in a round. */
const MOST = 500_000;

/** How long calls took, in milliseconds: numbers in a place of their own, so that keeping one makes no garbage. */
export class Latencies {
  readonly #values = new Float64Array(MOST);
  length = 0;

  add(ms: number): void {
    if (this.length === MOST) throw new Error(`more than ${MOST} calls`);
    this.#values[this.length] = ms;
    this.length += 1;
  }

  percentile(share: number): number {
    return percentile(this.#values.subarray(0, this.length), share);
  }
}
