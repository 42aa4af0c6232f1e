import { readFileSync } from "node:fs";
import { hash } from "node:crypto";

const source = readFileSync(new URL("decide.lua", import.meta.url), "utf8");

/** The script that decides; `sha` is what Redis knows it by. */
export const decisionScript = { source, sha: hash("sha1", source) } as const;

/** One count to look at, by its key. */
export interface CounterCheck {
  readonly key: string;
  readonly spec: string;
  /** Its hits, or the lease that `concurrency` lends; "0" and "" take nothing, and hits below 0 give back. */
  readonly amount: string;
}

/** Takes back what `concurrency` lent; it always has room. */
export function takenBack(key: string, lease: string): CounterCheck {
  return { key, spec: "r 0 0 0 0 0", amount: lease };
}

export interface CounterResult {
  /** Whether there was room for the hits; they are taken where all checks of the request had room. */
  readonly room: boolean;
  readonly remaining: number;
  /** Until the same request has room, if nobody else takes it; 0 where it has. */
  readonly retryUs: number;
  /** Until the count is as if nothing had happened. */
  readonly resetUs: number;
}

/** The keys and arguments of a batch of requests, as the script takes them. `nowUs` is for replays; Redis has its own. */
export function encodeBatch(
  requests: readonly (readonly CounterCheck[])[],
  nowUs?: number,
): { keys: string[]; args: string[] } {
  const indexes = new Map<string, number>();
  const args = [nowUs === undefined ? "" : String(nowUs)];
  for (const checks of requests) {
    args.push(String(checks.length));
    for (const { key, spec, amount } of checks) {
      let index = indexes.get(key);
      if (index === undefined) {
        index = indexes.size + 1;
        indexes.set(key, index);
      }
      args.push(String(index), spec, amount);
    }
  }
  return { keys: [...indexes.keys()], args };
}

/** @throws Error where the answer is not the script's. */
export function decodeBatch(
  requests: readonly (readonly CounterCheck[])[],
  answer: unknown,
): CounterResult[][] {
  if (!Array.isArray(answer)) throw new Error("the script answered no array");
  const numbers: readonly unknown[] = answer;
  let position = 0;
  const next = () => {
    const value = numbers[position++];
    if (typeof value !== "number") throw new Error("the script's answer ended");
    return value;
  };
  return requests.map((checks) =>
    checks.map(() => {
      const [remaining, retryUs, resetUs] = [next(), next(), next()];
      return { room: retryUs === 0, remaining, retryUs, resetUs };
    }),
  );
}
