import { AsyncLocalStorage } from "node:async_hooks";
import type { Caller } from "./caller.ts";

/** What the calls that a handler makes take over from the call that it serves. */
export interface CallScope {
  readonly caller: Caller;
  /** Aborts when the call is cancelled, or its deadline passes, or it has ended. */
  readonly signal: AbortSignal;
  /** Milliseconds that are left until the deadline. */
  remainingMs(): number;
}

const storage = new AsyncLocalStorage<CallScope | undefined>();

/** The scope of the call that is being served, or undefined outside of any. */
export function currentScope(): CallScope | undefined {
  return storage.getStore();
}

/** Runs `work` as part of the call. */
export function runInScope<T>(scope: CallScope, work: () => T): T {
  return storage.run(scope, work);
}

/**
 * Runs `work` outside of the call that is being served: it neither ends with it nor shares its deadline. For what goes
 * on after the answer.
 */
export function runDetached<T>(work: () => T): T {
  return storage.run(undefined, work);
}
