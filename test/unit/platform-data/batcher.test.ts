import { describe, expect, it } from "vitest";
import {
  createBatcher,
  type Batcher,
  type BatcherOptions,
} from "../../../services/platform/data/batcher.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";

describe("a batcher", () => {
  it("does what is asked for in one turn together, and answers each its own", async () => {
    const { batcher, batches } = setup();

    const answers = await Promise.all(["a", "b", "c"].map(batcher.submit));

    expect(answers).toEqual(["a!", "b!", "c!"]);
    expect(batches).toEqual([["a", "b", "c"]]);
  });

  it("makes the next batch of what comes while one is under way", async () => {
    const gate = Promise.withResolvers<void>();
    // However slow the machine: a batch that counts as stuck would not be waited for.
    const { batcher, batches } = setup({
      gate: gate.promise,
      patienceMs: 60_000,
    });
    const first = batcher.submit("a");
    await turn();
    const later = [batcher.submit("b"), batcher.submit("c")];
    await turn();

    expect(batches).toEqual([["a"]]);
    gate.resolve();
    await Promise.all([first, ...later]);

    expect(batches).toEqual([["a"], ["b", "c"]]);
  });

  it("starts beside a batch that is stuck, so many at most", async () => {
    const gate = Promise.withResolvers<void>();
    const { batcher, batches } = setup({
      gate: gate.promise,
      patienceMs: 1,
      maxUnderWay: 2,
    });
    const stuck = [batcher.submit("a")];
    await turn();
    stuck.push(batcher.submit("b"));
    await until(() => batches.length === 2);
    stuck.push(batcher.submit("c"));
    await turn();

    expect(batches).toEqual([["a"], ["b"]]);
    gate.resolve();
    await Promise.all(stuck);
    expect(batches).toEqual([["a"], ["b"], ["c"]]);
  });

  it("splits what is more than a batch", async () => {
    const { batcher, batches } = setup({ maxBatch: 2 });

    await Promise.all(["a", "b", "c"].map(batcher.submit));

    expect(batches).toEqual([["a", "b"], ["c"]]);
  });

  it("never has two items of one key under way", async () => {
    const { batcher, batches } = setup({ keyOf: (item) => item.charAt(0) });

    const answers = await Promise.all(["a1", "a2", "b1"].map(batcher.submit));

    expect(answers).toEqual(["a1!", "a2!", "b1!"]);
    expect(batches).toEqual([["a1", "b1"], ["a2"]]);
  });

  it("lets a bad item fail alone", async () => {
    const { batcher } = setup();

    const ends = await Promise.allSettled(
      ["a", "bad", "c"].map(batcher.submit),
    );

    expect(ends).toMatchObject([
      { value: "a!, alone" },
      { reason: { message: "bad item" } },
      { value: "c!, alone" },
    ]);
  });

  it("does alone what the batch leaves out", async () => {
    const { batcher, batches } = setup();

    const answers = await Promise.all(["a", "odd"].map(batcher.submit));

    expect(answers).toEqual(["a!", "odd!, alone"]);
    expect(batches).toHaveLength(1);
  });

  it("fails all at once where the database is away", async () => {
    const away = new DomainError({
      code: "unavailable",
      reason: "DATABASE_UNAVAILABLE",
      message: "away",
    });
    const { batcher, alone } = setup({ gate: Promise.reject(away) });

    const ends = await Promise.allSettled(["a", "b"].map(batcher.submit));

    expect(ends).toMatchObject([{ reason: away }, { reason: away }]);
    expect(alone).toEqual([]);
  });

  it("refuses what its queue can't hold, and takes more when there is room", async () => {
    const { batcher } = setup({ maxHeld: 2 });
    const held = [batcher.submit("a"), batcher.submit("b")];

    await expect(batcher.submit("c")).rejects.toMatchObject({
      code: "resource_exhausted",
      reason: "BATCH_QUEUE_FULL",
    });
    await Promise.all(held);

    expect(await batcher.submit("d")).toBe("d!");
  });

  it("never does what was given up before it started", async () => {
    const gate = Promise.withResolvers<void>();
    const { batcher, batches } = setup({ gate: gate.promise });
    const first = batcher.submit("a");
    await turn();
    const giveUp = new AbortController();
    const waits = batcher.submit("b", giveUp.signal);

    giveUp.abort(new Error("enough"));

    await expect(waits).rejects.toThrow("enough");
    gate.resolve();
    await first;
    await batcher.idle();
    expect(batches).toEqual([["a"]]);
  });

  it("frees a caller that gives up what is under way, and spares the others", async () => {
    const gate = Promise.withResolvers<void>();
    const { batcher } = setup({ gate: gate.promise });
    const giveUp = new AbortController();
    const impatient = batcher.submit("a", giveUp.signal);
    const patient = batcher.submit("b");
    await turn();

    giveUp.abort(new Error("enough"));

    await expect(impatient).rejects.toThrow("enough");
    gate.resolve();
    expect(await patient).toBe("b!");
  });

  it("is idle when the last item has ended", async () => {
    const gate = Promise.withResolvers<void>();
    const { batcher } = setup({ gate: gate.promise });
    let isDone = false;
    const work = batcher.submit("a").then(() => void (isDone = true));

    const idle = batcher.idle();
    gate.resolve();
    await idle;
    await work;

    expect(isDone).toBe(true);
    await batcher.idle();
  });
});

type Changes = Partial<BatcherOptions<string, string>> & {
  readonly gate?: Promise<void>;
};

/** A batcher that adds an exclamation mark; `bad` fails, and `odd` is left out of batches. */
function setup({ gate, ...changes }: Changes = {}) {
  const batches: string[][] = [];
  const alone: string[] = [];
  gate?.catch(() => undefined);
  const batcher: Batcher<string, string> = createBatcher<string, string>({
    name: "test",
    logger: silentLogger,
    async together(items) {
      batches.push([...items]);
      await gate;
      if (items.includes("bad")) throw new Error("the batch fails");
      return items.map((item) => (item === "odd" ? undefined : `${item}!`));
    },
    async alone(item) {
      alone.push(item);
      if (item === "bad") throw new Error("bad item");
      return `${item}!, alone`;
    },
    keyOf: (item) => item,
    ...changes,
  });
  // `map` would pass an index as the signal.
  const submit = (item: string, signal?: AbortSignal | number) =>
    batcher.submit(item, typeof signal === "object" ? signal : undefined);
  return { batcher: { ...batcher, submit }, batches, alone };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
