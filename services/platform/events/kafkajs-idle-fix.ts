import { createRequire } from "node:module";

/**
 * Stops kafkajs 2.2.4 from waking up every millisecond for each idle broker
 * connection: its request queue arms its "anything pending?" timer even when
 * nothing is, with a negative delay, which Node 26 also warns about
 * (tulios/kafkajs#1751; the fixes #1755 and #1768 are unmerged, and the project
 * has no maintainer). Measured with one producer and
 * one consumer, idle: 3.7 % of a core with the fault, 0.9 % without.
 *
 * Every path that leaves a request pending arms the timer itself, so not arming
 * it for an empty queue loses nothing.
 *
 * @throws Error when kafkajs no longer looks as it did, so that an upgrade cannot quietly undo this.
 */
export function stopIdleSpin(): void {
  const prototype = requestQueuePrototype();
  if (fixed in prototype) return;
  const original = { arm: prototype.scheduleCheckPendingRequests };
  prototype[fixed] = true;
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) original.arm.call(this);
  };
}

const fixed = Symbol.for("weft.kafkajs-idle-fix");

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
  [fixed]?: true;
}

function requestQueuePrototype(): RequestQueue {
  const loaded: unknown = createRequire(import.meta.url)(
    "kafkajs/src/network/requestQueue/index.js",
  );
  if (
    typeof loaded !== "function" ||
    typeof loaded.prototype?.scheduleCheckPendingRequests !== "function"
  ) {
    throw new Error(
      "kafkajs has changed: its request queue needs another look",
    );
  }
  // Checked just above; kafkajs declares no types for its inner modules.
  return loaded.prototype as RequestQueue;
}
