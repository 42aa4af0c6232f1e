import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DeadLetter_State as State } from "../../gen/ts/weft/events/v1/dead_letter_pb.ts";
import { OrderPlacedSchema } from "../../gen/ts/weft/order/v1/order_events_pb.ts";
import {
  newEvent,
  toRecord,
} from "../../services/platform/events/cloud-event.ts";
import type { EventBus } from "../../services/platform/events/event-bus.ts";
import { createKafkaBus } from "../../services/platform/events/kafka-bus.ts";
import { newId } from "../../services/platform/runtime/ids.ts";
import { connectToEdge, protocolKinds } from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { eventually } from "../support/eventually.ts";
import { openShop } from "../support/mesh-shop.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";
import { silentLogger } from "../support/silent-logger.ts";

const GROUP = "order-timeline";

/** A payload that keeps the contract's rules. */
const mended = {
  case: "payloadJson",
  value: JSON.stringify({
    order: {
      lines: [{ sku: "mug", quantity: 1 }],
      paymentToken: "tok_visa",
    },
  }),
} as const;

let bus: EventBus;

beforeAll(() => {
  const { directory } = meshUnderTest();
  const text = readFileSync(join(directory, "mesh.json"), "utf8");
  const { kafkaBrokers } = JSON.parse(text) as { kafkaBrokers: string[] };
  bus = createKafkaBus({
    brokers: kafkaBrokers,
    clientId: "operate test",
    logger: silentLogger,
  });
});

afterAll(() => bus.close());

describe.each(protocolKinds)(
  "an operator with %s",
  { concurrent: true },
  (kind) => {
    it("finds an event that its consumer gave up on, mends it, and sends it back", async () => {
      using client = connectToEdge(meshUnderTest().edge, kind);
      const { events, orders } = client;
      using shop = await openShop(kind);
      const order = await shop.settled(shop.order(1));
      const orderId = order.name.slice("orders/".length);
      const letter = await buried(orderId, async () => {
        const { deadLetters } = await events.listDeadLetters({
          group: GROUP,
          key: orderId,
        });
        return deadLetters[0];
      });

      const shown = await events.getDeadLetter({ name: letter.name });
      const refusal = await refusalOf(
        events.redriveDeadLetter({
          name: letter.name,
          edited: {
            case: "payloadJson",
            value: `{"order": {"lines": [{"sku": "NOT A SKU"}]}}`,
          },
        }),
      );
      const redriven = await events.redriveDeadLetter({
        name: letter.name,
        edited: mended,
        reason: "mended",
        requestId: randomUUID(),
      });

      expect(shown.deadLetter).toMatchObject({
        group: GROUP,
        errorReason: "MALFORMED_EVENT",
        payloadJson: "",
      });
      expect(refusal.code).toBe("InvalidArgument");
      expect(redriven.deadLetter?.redriveCount).toBe(1);
      await eventually(
        "the timeline has it",
        async () => {
          const { order: now } = await orders.getOrder({ name: order.name });
          return (
            now?.timeline.some(({ eventId }) => eventId === letter.eventId) ??
            false
          );
        },
        60_000,
      );
      const { deadLetterAuditRecords: audit } =
        await events.listDeadLetterAuditRecords({ deadLetter: letter.name });
      expect(audit).toMatchObject([{ reason: "mended" }]);
    });

    it("discards what can't be mended, and is told that it is done", async () => {
      using client = connectToEdge(meshUnderTest().edge, kind);
      const { events } = client;
      const key = newId();
      const letter = await buried(
        key,
        async () =>
          (await events.listDeadLetters({ group: GROUP, key })).deadLetters[0],
      );

      const { deadLetter } = await events.discardDeadLetter({
        name: letter.name,
        reason: "a test",
      });
      const refusal = await refusalOf(
        events.redriveDeadLetter({ name: letter.name }),
      );
      const batch = await events.batchRedriveDeadLetters({
        group: GROUP,
        key,
      });

      expect(deadLetter?.state).toBe(State.DISCARDED);
      expect(refusal).toMatchObject({
        code: "FailedPrecondition",
        reason: "DEAD_LETTER_NOT_PENDING",
        metadata: { dead_letter: letter.name, state: "DISCARDED" },
      });
      expect(batch).toMatchObject({ redrivenCount: 0, more: false });
    });

    it("sees what does not end by itself, and can't settle what is settled", async () => {
      using client = connectToEdge(meshUnderTest().edge, kind);
      const { operations } = client;
      using shop = await openShop(kind);
      const { name, etag } = await shop.settled(shop.order(1));

      const stuck = await operations.listStuckOrders({
        unchangedFor: { seconds: 3_600n },
      });
      const failed = await operations.listFailedCompensations({});
      const retried = await refusalOf(operations.retryOrder({ name }));
      const resolved = await refusalOf(
        operations.forceResolveOrder({
          name,
          etag,
          outcome: 1,
          reason: "x",
          settledByHand: "x",
        }),
      );
      const audit = await operations.listAuditRecords({ order: name });

      expect([stuck.orders, failed.orders, audit.auditRecords]).toEqual([
        [],
        [],
        [],
      ]);
      for (const refusal of [retried, resolved]) {
        expect(refusal).toMatchObject({
          code: "FailedPrecondition",
          reason: "ORDER_NOT_STUCK",
        });
      }
    });
  },
);

it("gives money of an order back by hand, once for each name, and no more than was taken", async () => {
  using shop = await openShop("REST by fetch");
  const { payments } = shop.client;
  const { name, payment } = await shop.settled(shop.order(2));
  const amount = { currencyCode: "EUR", units: 10n };
  const request = { name: payment, refundId: randomUUID(), amount };

  await payments.refund(request);
  const again = await payments.refund(request);
  const tooMuch = await refusalOf(
    payments.refund({
      name: payment,
      refundId: randomUUID(),
      amount: { currencyCode: "EUR", units: 16n },
    }),
  );
  const { balances } = await payments.getBalances({ payment });

  expect(again.payment?.refundedAmount).toMatchObject({ units: 10n });
  expect(tooMuch).toMatchObject({
    code: "InvalidArgument",
    reason: "AMOUNT_TOO_LARGE",
    metadata: { requested: "1600", limit: "1500" },
  });
  expect(await shop.money(name)).toMatchObject({ captures: 1, refunds: 1 });
  expect(
    balances.reduce((sum, { amount: on }) => sum + (on?.units ?? 0n), 0n),
  ).toBe(0n);
});

it("sends back what was decided though the service is killed right after it said so", async () => {
  const { edge, control } = meshUnderTest();
  using client = connectToEdge(edge, "gRPC");
  using shop = await openShop("gRPC");
  const order = await shop.settled(shop.order(1));
  const key = order.name.slice("orders/".length);
  const letter = await buried(
    key,
    async () =>
      (await client.events.listDeadLetters({ group: GROUP, key }))
        .deadLetters[0],
  );

  await client.events.redriveDeadLetter({ name: letter.name, edited: mended });
  await control.kill("events");

  await eventually(
    "the timeline has it",
    async () => {
      const { order: now } = await client.orders.getOrder({ name: order.name });
      return (
        now?.timeline.some(({ eventId }) => eventId === letter.eventId) ?? false
      );
    },
    60_000,
  );
  await eventually(
    "the service knows it",
    async () => {
      const { deadLetter } = await client.events.getDeadLetter({
        name: letter.name,
      });
      return deadLetter?.state === State.REDRIVEN;
    },
    60_000,
  );
});

/** Announces an order with a value that is no message, and waits for its dead letter. */
async function buried<Letter>(
  key: string,
  find: () => Promise<Letter | undefined>,
): Promise<Letter> {
  const event = newEvent(OrderPlacedSchema, create(OrderPlacedSchema), {
    aggregateId: key,
    tenant: "demo",
    occurredAt: new Date(),
  });
  const broken = Buffer.concat([
    toBinary(OrderPlacedSchema, create(OrderPlacedSchema)),
    Buffer.from([0xff, 0xff]),
  ]);
  await bus.produce([
    toRecord({ ...event, data: broken, source: "/weft/test" }, {}),
  ]);
  let letter: Letter | undefined;
  await eventually(
    "its dead letter is there",
    async () => (letter = await find()) !== undefined,
    60_000,
  );
  if (letter === undefined) throw new Error("no dead letter");
  return letter;
}
