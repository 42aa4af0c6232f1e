import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Order_Coordination as Coordination,
  Order_State as State,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { startWorld, type World } from "./coordination-world.ts";
import { addProduct, place, requestsOf, until } from "./place-and-follow.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld({ ORDER_FOLLOWED: "20" });
}, 120_000);

afterAll(() => world[Symbol.asyncDispose]());

const request = requestsOf(Coordination.CHOREOGRAPHED);

test("of a burst of choreographed orders events complete all that are accepted, and the others are refused", async () => {
  const sku = await addProduct(world, 1_000);

  const ends = await Promise.allSettled(
    Array.from({ length: 300 }, () => place(world.orders, request(sku))),
  );

  const accepted = ends.flatMap((end) =>
    end.status === "fulfilled" ? [end.value.name] : [],
  );
  const codes = ends.flatMap((end) =>
    end.status === "rejected" ? [ConnectError.from(end.reason).code] : [],
  );
  expect(accepted.length).toBeGreaterThanOrEqual(20);
  expect(new Set(codes)).toEqual(new Set([Code.ResourceExhausted]));
  for (const name of accepted) await until(world.orders, name, State.COMPLETED);
  await eventually("there is room again", () =>
    place(world.orders, request(sku)).then(
      () => true,
      () => false,
    ),
  );
  expect(world.process("order").child.exitCode).toBeNull();
}, 90_000);
