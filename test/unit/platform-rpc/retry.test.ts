import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  createRetryBudget,
  withRetries,
} from "../../../services/platform/rpc/retry.ts";

test("a budget allows ten retries at the start, and one for every ten calls after", () => {
  const budget = createRetryBudget();
  const spend = () => {
    let spent = 0;
    while (budget.withdraw()) spent += 1;
    return spent;
  };

  const first = spend();
  for (let call = 0; call < 51; call += 1) budget.deposit();

  expect(first).toBe(10);
  expect(spend()).toBe(5);
});

test("a budget saves up no more than a hundred retries", () => {
  const budget = createRetryBudget();
  for (let call = 0; call < 10_000; call += 1) budget.deposit();

  let spent = 0;
  while (budget.withdraw()) spent += 1;

  expect(spent).toBe(100);
});

test("makes one attempt when the budget is used up", async () => {
  const budget = createRetryBudget();
  while (budget.withdraw());

  const made = await attemptsOf({ budget });

  expect(made).toBe(1);
});

test("does not wait for what the deadline does not allow", async () => {
  const made = await attemptsOf({ remainingMs: () => 0 });

  expect(made).toBe(1);
});

test("a call that is cancelled between two attempts ends as cancelled", async () => {
  const caller = new AbortController();

  const call = withRetries(
    { ...options(), signal: caller.signal },
    async () => {
      queueMicrotask(() => caller.abort());
      throw unavailable();
    },
  );

  await expect(call).rejects.toMatchObject({ code: Code.Canceled });
});

async function attemptsOf(
  more: Partial<ReturnType<typeof options>>,
): Promise<number> {
  let made = 0;
  const call = withRetries({ ...options(), ...more }, async () => {
    made += 1;
    throw unavailable();
  });
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  return made;
}

function options() {
  return {
    budget: createRetryBudget(),
    retriable: true,
    signal: undefined as AbortSignal | undefined,
    remainingMs: () => 10_000,
  };
}

function unavailable(): ConnectError {
  return new ConnectError("no", Code.Unavailable);
}
