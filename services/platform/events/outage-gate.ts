import { fullJitter } from "../data/backoff.ts";

/** Holds a group's consumption while every event would fail alike, so that an outage burns no attempts. */
export interface OutageGate {
  /**
   * 0 when the next event may be tried, else how long to wait. After the wait
   * one caller may try, and the others wait until it has told what came of it.
   */
  waitMs(): number;
  /** Our own database does not answer: closes the gate at once. */
  outage(): void;
  /** Something that an event needs is down; several in a row close the gate too. */
  transient(): void;
  /** An event had its effect. */
  recovered(): void;
  readonly closed: boolean;
}

const BASE_MS = 250;
const CAP_MS = 15_000;
/** Fewer may be one key's own trouble, which its retry topic takes care of. */
const TRANSIENT_IN_A_ROW = 5;

export function createOutageGate(
  now: () => number = () => performance.now(),
): OutageGate {
  let closures = 0;
  let transient = 0;
  let until = 0;
  const close = (): void => {
    closures += 1;
    until = now() + BASE_MS / 2 + fullJitter(closures, BASE_MS, CAP_MS);
  };
  return {
    waitMs() {
      if (closures === 0) return 0;
      const left = until - now();
      if (left > 0) return left;
      until = now() + BASE_MS;
      return 0;
    },
    outage: close,
    transient() {
      transient += 1;
      if (transient >= TRANSIENT_IN_A_ROW) close();
    },
    recovered() {
      closures = 0;
      transient = 0;
    },
    get closed() {
      return closures > 0;
    },
  };
}
