import { expect, test } from "vitest";
import {
  createDrain,
  type Drain,
} from "../../../services/platform/runtime/drain.ts";
import { silentLogger } from "../../support/silent-logger.ts";

function setup(boundMs = 5_000): { drain: Drain; exited: Promise<number> } {
  const exit = Promise.withResolvers<number>();
  const drain = createDrain({
    logger: silentLogger,
    boundMs,
    exit: exit.resolve,
  });
  return { drain, exited: exit.promise };
}

test("runs its steps one after another, the last added first", async () => {
  const { drain, exited } = setup();
  const order: string[] = [];
  for (const name of ["pool", "consumer", "server"]) {
    drain.add(name, async () => {
      await new Promise(setImmediate);
      order.push(name);
    });
  }

  drain.start("SIGTERM", 0);

  expect(await exited).toBe(0);
  expect(order).toEqual(["server", "consumer", "pool"]);
});

test("goes on after a step that fails, and ends with 1", async () => {
  const { drain, exited } = setup();
  const done: string[] = [];
  drain.add("pool", async () => void done.push("pool"));
  drain.add("server", () => Promise.reject(new Error("can't")));

  drain.start("SIGTERM", 0);

  expect(await exited).toBe(1);
  expect(done).toEqual(["pool"]);
});

test("tells its steps to hurry before the bound, and ends at the bound", async () => {
  const { drain, exited } = setup(200);
  let hurries = 0;
  const started = performance.now();
  drain.add("stuck", (signal) => {
    signal.addEventListener("abort", () => (hurries += 1));
    return new Promise(() => {});
  });

  drain.start("SIGTERM", 0);

  expect(await exited).toBe(1);
  expect(hurries).toBe(1);
  expect(performance.now() - started).toBeGreaterThanOrEqual(195);
});

test("a second signal changes nothing, and the first aborts the runtime's signal", async () => {
  const { drain, exited } = setup();
  let runs = 0;
  drain.add("once", async () => void (runs += 1));

  drain.start("SIGTERM", 0);
  drain.start("SIGINT", 3);

  expect(drain.signal.aborted).toBe(true);
  expect(await exited).toBe(0);
  expect(runs).toBe(1);
});
