import { AsyncLocalStorage } from "node:async_hooks";
import { DomainError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { declareHistogram, observe } from "../runtime/histogram.ts";
import { createLane } from "./lane.ts";

export interface BatcherOptions<Item, Result> {
  /** Shown in metrics, in the log and in the refusal of a full queue. */
  readonly name: string;
  /** Told of each batch that fails, as its items may then succeed. */
  readonly logger: Pick<Logger, "warn">;
  /**
   * Does all of the items in one transaction. Answers one result an item, in their order; undefined where an item is to
   * be done alone after all. Where it throws, it has done nothing.
   */
  readonly together: (
    items: readonly Item[],
  ) => Promise<readonly (Result | undefined)[]>;
  /** Does one item in a transaction of its own, with its own errors. */
  readonly alone: (item: Item, signal?: AbortSignal) => Promise<Result>;
  /** Two items of one key are never under way at the same time: what they change is the same row. Without it, any are. */
  readonly keyOf?: (item: Item) => string;
  /** Items a batch at most. Default 64. */
  readonly maxBatch?: number;
  /** Items that wait or are under way at most; the next is refused. Default 1,000. */
  readonly maxHeld?: number;
  /** Batches under way at most. Default 4. */
  readonly maxUnderWay?: number;
  /** Items under way alone at most. Default 8. */
  readonly maxAlone?: number;
  /** After so long a batch counts as stuck, and another starts beside it. Default 25 ms. */
  readonly patienceMs?: number;
}

export interface Batcher<Item, Result> {
  /**
   * Does the item, in a batch with others or alone. When `signal` aborts, an item that waits is not done, and one that
   * is under way may still be: only its caller waits no longer.
   *
   * @throws DomainError `resource_exhausted` (BATCH_QUEUE_FULL), the signal's reason, or what `alone` throws.
   */
  submit(item: Item, signal?: AbortSignal): Promise<Result>;
  /** Resolves when nothing waits or is under way, from now on. */
  idle(): Promise<void>;
}

interface Job<Item, Result> {
  readonly item: Item;
  readonly key: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const sizes = declareHistogram({
  scope: "weft.data",
  name: "weft.batch.size",
  unit: "{item}",
  boundaries: [1, 2, 4, 8, 16, 32, 64, 128],
});

/**
 * Group commit in the application: small transactions of one kind that are asked for at the same time become one. A
 * commit, a round trip and a statement's fixed cost are then paid once a batch; a row that all of them want is locked once.
 *
 * It clocks itself. An item that comes while nothing is under way starts at the end of the event loop's turn; what comes
 * while a batch is under way makes up the next one. So batches grow with the load and nothing waits for company.
 *
 * A batch that fails is done again item by item, so that one bad item fails alone. Only where the database itself can't
 * be used do all items fail at once.
 */
export function createBatcher<Item, Result>(
  options: BatcherOptions<Item, Result>,
): Batcher<Item, Result> {
  const { maxBatch = 64, maxHeld = 1_000, maxUnderWay = 4 } = options;
  const { patienceMs = 25, maxAlone = 8 } = options;
  const size = sizes.bind({ "weft.batch.name": options.name });
  // A batch belongs to none of its callers: not to its trace, nor to its deadline.
  const detached = AsyncLocalStorage.snapshot();
  const busy = new Set<string>();
  const lane = createLane(maxAlone);
  let waiting: Job<Item, Result>[] = [];
  let held = 0;
  let underWay = 0;
  let isLate = false;
  let isScheduled = false;
  let idlers: (() => void)[] = [];

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => detached(pump));
  }

  function pump(): void {
    isScheduled = false;
    while (mayStart()) {
      const batch = takeBatch();
      if (batch.length === 0) return;
      void run(batch);
    }
  }

  function mayStart(): boolean {
    if (waiting.length === 0 || underWay >= maxUnderWay) return false;
    return underWay === 0 || isLate || waiting.length >= maxBatch;
  }

  function takeBatch(): Job<Item, Result>[] {
    const batch: Job<Item, Result>[] = [];
    const left: Job<Item, Result>[] = [];
    for (const job of waiting) {
      const isFree = job.key === undefined || !busy.has(job.key);
      if (batch.length < maxBatch && isFree) {
        if (job.key !== undefined) busy.add(job.key);
        batch.push(job);
      } else {
        left.push(job);
      }
    }
    waiting = left;
    return batch;
  }

  async function run(batch: readonly Job<Item, Result>[]): Promise<void> {
    underWay += 1;
    isLate = false;
    observe(sizes, size, batch.length);
    const timer = setTimeout(() => {
      isLate = true;
      pump();
    }, patienceMs);
    const rest = await settle(batch);
    clearTimeout(timer);
    underWay -= 1;
    for (const job of rest) void lane(() => runAlone(job));
    schedule();
  }

  /** Answers the jobs that are to be done alone. */
  async function settle(
    batch: readonly Job<Item, Result>[],
  ): Promise<readonly Job<Item, Result>[]> {
    try {
      const results = await options.together(batch.map(({ item }) => item));
      return batch.filter((job, index) => {
        const result = results[index];
        if (result !== undefined) end(job, () => job.resolve(result));
        return result === undefined;
      });
    } catch (error) {
      const { name, logger } = options;
      logger.warn(
        { err: error, batch: name, items: batch.length },
        "a batch failed",
      );
      if (!isOfDatabase(error)) return batch;
      for (const job of batch) end(job, () => job.reject(error));
      return [];
    }
  }

  async function runAlone(job: Job<Item, Result>): Promise<void> {
    try {
      job.signal?.throwIfAborted();
      const result = await options.alone(job.item, job.signal);
      end(job, () => job.resolve(result));
    } catch (error) {
      end(job, () => job.reject(error));
    }
    // Others of its key may wait for it.
    schedule();
  }

  function end(job: Job<Item, Result>, settled: () => void): void {
    if (job.key !== undefined) busy.delete(job.key);
    release();
    settled();
  }

  function release(): void {
    held -= 1;
    if (held > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  function submit(item: Item, signal?: AbortSignal): Promise<Result> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (held >= maxHeld) return Promise.reject(queueFull(options.name));
    held += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const key = options.keyOf?.(item);
    const job: Job<Item, Result> = { item, key, signal, resolve, reject };
    waiting.push(job);
    schedule();
    if (signal === undefined) return promise;

    const onAbort = (): void => {
      if (waiting.includes(job)) {
        waiting = waiting.filter((other) => other !== job);
        release();
      }
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  return {
    submit,
    async idle() {
      if (held === 0) return;
      await new Promise<void>((resolve) => idlers.push(resolve));
    },
  };
}

/** Whether the failure says nothing about any item: each of them alone would meet it too. */
function isOfDatabase(error: unknown): boolean {
  return (
    error instanceof DomainError &&
    (error.code === "unavailable" || error.code === "resource_exhausted")
  );
}

function queueFull(name: string): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "BATCH_QUEUE_FULL",
    message: `too much waits to be written (${name})`,
    retryAfterMs: 1_000,
  });
}
