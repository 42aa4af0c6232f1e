import { expect, test } from "vitest";
import { createProviderLane } from "../../../services/payment/app/provider-lane.ts";

test("holds no more than its width and what may wait, and takes more when that is done", async () => {
  const lane = createProviderLane({ width: 2, maxWaiting: 3 });
  const gate = Promise.withResolvers<void>();
  const started: number[] = [];
  const offer = (n: number) =>
    lane.take(() => {
      started.push(n);
      return gate.promise;
    });

  const taken = [1, 2, 3, 4, 5, 6, 7].filter(offer);
  const startedAtOnce = [...started];
  gate.resolve();
  await expect.poll(() => started).toEqual([1, 2, 3, 4, 5]);

  expect(taken).toEqual([1, 2, 3, 4, 5]);
  expect(startedAtOnce).toEqual([1, 2]);
  await expect.poll(() => offer(8)).toBe(true);
});
