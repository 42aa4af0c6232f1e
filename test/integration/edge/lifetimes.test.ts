import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import {
  connectToEdge,
  everyClientKind,
  type ClientKind,
} from "../../support/edge-clients.ts";
import { refusalOf } from "../../support/edge-errors.ts";
import { startEdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { ORDER } from "./upstream.ts";

const PAYMENT = "payments/01890a5d-ac96-774b-bcce-b302099a8050";

it("answers 504 when a service is silent for the contract's time limit, and resets the call", async () => {
  await using world = await startEdgeWorld();
  const start = performance.now();

  const reset = world.payments.nextReset();
  const answer = await send(world, { path: `/v1/${PAYMENT}` });

  expect(answer.status).toBe(504);
  expect(answer.json()).toMatchObject({
    code: 4,
    details: [
      { reason: "DEADLINE_EXCEEDED" },
      { requestId: expect.any(String) },
    ],
  });
  expect(performance.now() - start).toBeGreaterThan(4_900);
  await reset;
}, 30_000);

it("ends a gRPC call with DEADLINE_EXCEEDED when a service is silent for the contract's time limit", async () => {
  await using world = await startEdgeWorld();
  using client = connectToEdge(world, "gRPC");
  const start = performance.now();

  const refusal = await refusalOf(
    client.payments.getPayment({ name: PAYMENT }),
  );

  expect(refusal.code).toBe("DeadlineExceeded");
  // The client itself would wait a minute.
  expect(performance.now() - start).toBeLessThan(25_000);
}, 30_000);

it("keeps streams of every kind open beyond Envoy's 15 s", async () => {
  await using world = await startEdgeWorld();
  const watch = async (kind: ClientKind) => {
    using client = connectToEdge(world, kind);
    const end = AbortSignal.timeout(20_000);
    let last = 0;
    const start = performance.now();
    try {
      for await (const _ of client.orders.watchOrders({}, { signal: end }))
        last = performance.now() - start;
    } catch (error) {
      if (!end.aborted) throw error;
    }
    return last;
  };

  const lasted = await Promise.all(everyClientKind.map(watch));

  for (const milliseconds of lasted)
    expect(milliseconds).toBeGreaterThan(16_000);
}, 40_000);

it("fails no idempotent call while a service restarts for two seconds", async () => {
  await using world = await startEdgeWorld();
  const ended = new AbortController();
  const statuses: number[] = [];
  const load = async () => {
    while (!ended.signal.aborted)
      statuses.push((await send(world, { path: `/v1/${ORDER}` })).status);
  };

  const running = Promise.all(Array.from({ length: 20 }, load));
  await expect
    .poll(() => statuses.length, { timeout: 10_000 })
    .toBeGreaterThan(40);
  await world.stopUpstream();
  await delay(2_000);
  await world.startUpstream();
  const before = statuses.length;
  await expect
    .poll(() => statuses.length, { timeout: 10_000 })
    .toBeGreaterThan(before + 40);
  ended.abort();
  await running;

  expect(new Set(statuses)).toEqual(new Set([200]));
}, 40_000);
