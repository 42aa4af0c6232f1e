import { randomUUID } from "node:crypto";
import { fullJitter, sleep } from "../data/backoff.ts";
import type { Database } from "../data/database.ts";
import type { Logger } from "../runtime/logger.ts";
import type { EventBus } from "./event-bus.ts";
import { SLOTS } from "./outbox-rows.ts";
import { pruneInBatches } from "./prune.ts";
import { drainOutbox } from "./drain-outbox.ts";
import { prunePublished } from "./outbox-queue.ts";
import {
  claimLease,
  type Lease,
  releaseLease,
  renewLease,
  type SlotRange,
  splitSlots,
} from "./relay-lease.ts";
import { GIVEN_AWAY, type RelayShare, startRelayShare } from "./relay-share.ts";
import { createRelayMetrics, type RelayMetrics } from "./relay-metrics.ts";
import { createWakeUp, type WakeUp } from "./wake-up.ts";

export interface RelayOptions {
  readonly db: Database;
  readonly bus: EventBus;
  readonly logger: Logger;
  /** CloudEvents source, such as `/weft/order`. */
  readonly source: string;
  /** Ranges that the keys are split into; each is published by one process at a time, and each process takes its share. Default 1. */
  readonly ranges?: number;
  /** Events a batch at most. Default 200. */
  readonly batchSize?: number;
  /** How long a commit may wait for others, so that they are published together. Default 5. */
  readonly lingerMs?: number;
  /** Poll after activity; doubles while idle up to `maxPollMs`. Default 25. */
  readonly minPollMs?: number;
  /** Default 250. The poll only matters for commits of other processes: ours wake the relay. */
  readonly maxPollMs?: number;
  /** How long a dead owner keeps others waiting. Default 5 s. */
  readonly leaseMs?: number;
  /** How long published events are kept for inspection. Default 1 hour. */
  readonly retentionMs?: number;
}

export interface Relay extends AsyncDisposable {
  /** Publishes now what is committed. {@link createOutbox} calls it after each commit. */
  wake(): void;
  /** Finishes the batch under way and lets another process take over at once. */
  stop(): Promise<void>;
}

export interface RelayDeps extends Required<RelayOptions> {
  readonly metrics: RelayMetrics;
}

/**
 * Publishes the outbox of the database to the bus: at least once, and one
 * aggregate's events in order. One process at a time owns a range of keys,
 * under a lease; the others stand by. A crash between publishing and marking
 * publishes twice, so consumers recognise events by id (the inbox does).
 *
 * Also a paused former owner keeps the order: what it still sends begins at or
 * before the new owner's first event, so the *first* delivery of each event is in order.
 *
 * A publish that fails holds back its range and is tried again with capped
 * backoff for ever: nothing is skipped, because skipping breaks the order.
 */
export function startRelay(options: RelayOptions): Relay {
  const metrics = createRelayMetrics();
  const deps: RelayDeps = {
    ranges: 1,
    batchSize: 200,
    lingerMs: 5,
    minPollMs: 25,
    maxPollMs: 250,
    leaseMs: 5_000,
    retentionMs: 3_600_000,
    ...options,
    metrics,
  };
  const stopping = new AbortController();
  const owner = randomUUID();
  const share = startRelayShare({ ...deps, owner }, stopping.signal);
  const bells = new Set<WakeUp>();
  const tasks = splitSlots(SLOTS, deps.ranges).map((range) => {
    const bell = createWakeUp();
    bells.add(bell);
    return runRange({ ...deps, owner, share }, range, bell, stopping.signal);
  });
  tasks.push(
    share.done,
    pruneInBatches(
      { logger: deps.logger, name: "outbox" },
      (limit) => prunePublished(deps.db, deps.retentionMs, limit),
      stopping.signal,
    ),
  );
  const stop = async (): Promise<void> => {
    stopping.abort(new Error("relay stopped"));
    await Promise.all(tasks);
    metrics.close();
  };
  return {
    wake: () => bells.forEach((bell) => bell.ring()),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface RangeDeps extends RelayDeps {
  readonly owner: string;
  readonly share: RelayShare;
}

/** Waits for the lease, publishes as long as it holds, and begins again. */
async function runRange(
  deps: RangeDeps,
  range: SlotRange,
  bell: WakeUp,
  stopping: AbortSignal,
): Promise<void> {
  for (let failures = 0; !stopping.aborted;) {
    try {
      const lease = deps.share.hasRoom()
        ? await claimLease(deps.db, range, deps.owner, deps.leaseMs)
        : undefined;
      if (lease === undefined) {
        await sleep(standByMs(deps), stopping).catch(() => undefined);
      } else {
        await ownRange(deps, lease, bell, stopping);
      }
      failures = 0;
    } catch (error) {
      if (stopping.aborted) return;
      failures += 1;
      deps.logger.warn(
        { err: error, ...range, failures },
        "relay failed, starts again",
      );
      await sleep(fullJitter(failures, 100, 5_000), stopping).catch(
        () => undefined,
      );
    }
  }
}

function standByMs(deps: RelayDeps): number {
  return deps.leaseMs / 4 + Math.random() * (deps.leaseMs / 4);
}

async function ownRange(
  deps: RangeDeps,
  lease: Lease,
  bell: WakeUp,
  stopping: AbortSignal,
): Promise<void> {
  const fields = {
    firstSlot: lease.firstSlot,
    lastSlot: lease.lastSlot,
    epoch: lease.epoch.toString(),
  };
  deps.logger.info(fields, "relay owns the outbox");
  const over = new AbortController();
  using _owned = deps.share.own(over);
  const until = AbortSignal.any([stopping, over.signal]);
  const keeping = keepLease(deps, lease, until).then(
    () => undefined,
    (error: unknown) => over.abort(error),
  );
  try {
    await drainOutbox(deps, lease, bell, until);
    if (over.signal.reason !== GIVEN_AWAY) over.signal.throwIfAborted();
  } finally {
    over.abort(new Error("relay no longer owns the outbox"));
    await keeping;
    await releaseLease(deps.db, lease).catch((error: unknown) =>
      deps.logger.warn(
        { err: error, ...fields },
        "lease not released, it will expire",
      ),
    );
    deps.metrics.forget(lease);
  }
}

/** Renews the lease until told to end. Rejects when it is lost, or could not be renewed before it ran out. */
async function keepLease(
  deps: RelayDeps,
  lease: Lease,
  until: AbortSignal,
): Promise<void> {
  let validUntil = performance.now() + deps.leaseMs;
  while (!until.aborted) {
    await sleep(deps.leaseMs / 4, until).catch(() => undefined);
    if (until.aborted) return;
    const askedAt = performance.now();
    try {
      if (!(await renewLease(deps.db, lease, deps.leaseMs))) {
        throw new LeaseLostError(
          "the lease ran out, or another process has it",
        );
      }
      validUntil = askedAt + deps.leaseMs;
    } catch (error) {
      if (error instanceof LeaseLostError || performance.now() >= validUntil)
        throw error;
      deps.logger.warn({ err: error }, "lease not renewed, tries again");
    }
  }
}

class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
}
