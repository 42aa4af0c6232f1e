import { createHash, randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  DeadLetter_State as State,
  DeadLetterAuditRecord_Action as Action,
} from "../../../gen/ts/weft/events/v1/dead_letter_pb.ts";
import { OrderLineSchema } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import {
  type NewEvent,
  toRecord,
} from "../../../services/platform/events/cloud-event.ts";
import { toDeadLetter } from "../../../services/platform/events/dead-letter.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import type {
  EventBus,
  OutgoingRecord,
} from "../../../services/platform/events/event-bus.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { type EventsWorld, line, setupEvents } from "./events-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

test("lists what groups gave up on, with where it came from and why, by any of it", async () => {
  await using world = await setupEvents(database.url);
  const bad = refuse(["bad"]);
  world.startGroup("one", bad.check);
  world.startGroup("two", bad.check);
  const before = new Date();

  await world.consumers.publish(
    line("a", "bad"),
    line("a", "good"),
    line("b", "bad"),
  );

  const letters = await world.pending(4);
  const [letter] = letters;
  expect(letter).toMatchObject({
    state: State.PENDING,
    topic: "weft.order.v1",
    eventType: "weft.order.v1.OrderLine",
    tenant: "acme",
    attempts: 4,
    errorReason: "HANDLER_FAILED",
    error: "Error: refused",
    redriveCount: 0,
  });
  const client = world.client();
  const count = async (filter: Parameters<typeof client.listDeadLetters>[0]) =>
    (await client.listDeadLetters(filter)).deadLetters.length;
  expect(await count({ group: "one" })).toBe(2);
  expect(await count({ group: "one", key: "a" })).toBe(1);
  expect(await count({ topic: "weft.order.v1" })).toBe(4);
  expect(await count({ topic: "weft.payment.v1" })).toBe(0);
  expect(await count({ eventType: "weft.order.v1.OrderLine" })).toBe(4);
  expect(await count({ errorReason: "MALFORMED_EVENT" })).toBe(0);
  expect(await count({ failedAfter: timestampFromDate(before) })).toBe(4);
  expect(await count({ failedBefore: timestampFromDate(before) })).toBe(0);
  expect(await count({ states: [State.DISCARDED] })).toBe(0);
});

test("pages through them, each once", async () => {
  await using world = await setupEvents(database.url);
  world.startGroup("one", refuse(["bad"]).check);
  await world.consumers.publish(
    ...Array.from({ length: 7 }, (_, n) => line(`k${n}`, "bad")),
  );
  await world.pending(7);
  const client = world.client();

  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await client.listDeadLetters({ pageSize: 3, pageToken });
    names.push(...page.deadLetters.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");

  expect(new Set(names).size).toBe(7);
  const { nextPageToken } = await client.listDeadLetters({ pageSize: 3 });
  await expect(
    client.listDeadLetters({
      pageSize: 3,
      pageToken: nextPageToken,
      group: "one",
    }),
  ).rejects.toMatchObject({ code: Code.InvalidArgument });
});

test("shows a payload as bytes and JSON, and one that is none as bytes alone", async () => {
  await using world = await setupEvents(database.url);
  world.startGroup("one", refuse(["bad"]).check);
  const poison = {
    ...toRecord({ ...line("b", "x"), source: "/weft/test" }, {}),
    value: Buffer.from([0xff, 0xff]),
  };
  await world.consumers.bus.produce([poison]);
  await world.consumers.publish(line("a", "bad", 7));
  const letters = await world.pending(2);
  const client = world.client();
  const byKey = (key: string) =>
    letters.find((letter) => letter.key === key)?.name ?? "";

  const good = await client.getDeadLetter({ name: byKey("a") });
  const bad = await client.getDeadLetter({ name: byKey("b") });

  expect(JSON.parse(good.deadLetter?.payloadJson ?? "")).toEqual({
    sku: "bad",
    quantity: 7,
  });
  expect(good.deadLetter?.payload).toEqual(payload("bad", 7));
  expect(good.deadLetter?.headers).toMatchObject({
    ce_type: "weft.order.v1.OrderLine",
  });
  expect(bad.deadLetter).toMatchObject({
    payloadJson: "",
    errorReason: "MALFORMED_EVENT",
  });
  expect([...(bad.deadLetter?.payload ?? [])]).toEqual([0xff, 0xff]);
});

test("redrives to just the group that failed, with the same id, and leaves an audit record", async () => {
  await using world = await setupEvents(database.url);
  const broken = refuse(["x"]);
  world.startGroup("one", broken.check);
  world.startGroup("two");
  const event = line("a", "x");
  await world.consumers.publish(event);
  const [letter] = await world.pending(1);
  broken.skus.clear();
  const client = world.client();

  const answer = await client.redriveDeadLetter({
    name: letter?.name ?? "",
    reason: "mended",
  });

  expect(answer.deadLetter?.state).toBeOneOf([State.REDRIVING, State.REDRIVEN]);
  await world.consumers.until(
    "both have it",
    (effects) => effects.length === 2,
  );
  await untilState(world, letter?.name, State.REDRIVEN);
  expect((await world.consumers.effects()).toSorted()).toEqual([
    "one x",
    "two x",
  ]);
  const { rows } = await world.consumers.db.query(
    "select consumer_group as group from inbox where event_id = $1 order by 1",
    [event.id],
  );
  expect(rows).toEqual([{ group: "one" }, { group: "two" }]);
  const { deadLetterAuditRecords: audit } =
    await client.listDeadLetterAuditRecords({ deadLetter: letter?.name ?? "" });
  expect(audit).toHaveLength(1);
  expect(audit[0]).toMatchObject({
    action: Action.REDRIVE,
    actor: "ada",
    actorTenant: "ops",
    reason: "mended",
    payloadSha256Before: sha256(payload("x")),
    payloadSha256After: sha256(payload("x")),
  });
});

test("takes a request once: repeated it answers how things stand, and another one with its id is refused", async () => {
  await using world = await setupEvents(database.url);
  const broken = refuse(["x"]);
  world.startGroup("one", broken.check);
  await world.consumers.publish(line("a", "x"));
  const [letter] = await world.pending(1);
  broken.skus.clear();
  const client = world.client();
  const request = { name: letter?.name ?? "", requestId: randomUUID() };

  const answers = await Promise.all(
    Array.from({ length: 10 }, () => client.redriveDeadLetter(request)),
  );

  expect(
    new Set(answers.map(({ deadLetter }) => deadLetter?.redriveCount)),
  ).toEqual(new Set([1]));
  await world.consumers.until("it is in", (effects) => effects.length === 1);
  const { deadLetterAuditRecords } = await client.listDeadLetterAuditRecords(
    {},
  );
  expect(deadLetterAuditRecords).toHaveLength(1);
  await expect(
    client.discardDeadLetter({ ...request, reason: "no" }),
  ).rejects.toMatchObject({
    code: Code.InvalidArgument,
    message: expect.stringContaining("was used with another request"),
  });
  await expect(
    client.redriveDeadLetter({ name: request.name }),
  ).rejects.toMatchObject({
    code: Code.FailedPrecondition,
  });
});

test("brings a redriven one back when it fails again, and can redrive it again", async () => {
  await using world = await setupEvents(database.url);
  const broken = refuse(["x"]);
  world.startGroup("one", broken.check);
  await world.consumers.publish(line("a", "x"));
  const [first] = await world.pending(1);
  const client = world.client();
  await client.redriveDeadLetter({ name: first?.name ?? "" });

  await eventually("it is pending again", async () => {
    const [again] = (await client.listDeadLetters({ states: [State.PENDING] }))
      .deadLetters;
    return again?.name === first?.name && again?.redriveCount === 1;
  });
  broken.skus.clear();
  await client.redriveDeadLetter({ name: first?.name ?? "" });

  await world.consumers.until("it is in", (effects) => effects.length === 1);
  await untilState(world, first?.name, State.REDRIVEN);
});

test("redrives an edited payload, checked against its contract, and keeps the original and both hashes", async () => {
  await using world = await setupEvents(database.url);
  world.startGroup("one", refuse(["bad"]).check);
  await world.consumers.publish(line("a", "bad", 3));
  const [letter] = await world.pending(1);
  const name = letter?.name ?? "";
  const client = world.client();
  const edit = (json: string) =>
    client.redriveDeadLetter({
      name,
      edited: { case: "payloadJson", value: json },
    });

  await expect(edit(`{"sku": "BAD!", "quantity": 3}`)).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
  await expect(edit(`{"sku": "good", "quantity": -1}`)).rejects.toThrow(
    "quantity",
  );
  await expect(edit(`{"sku": "good", "colour": "red"}`)).rejects.toThrow(
    "colour",
  );
  await expect(
    edit(`{"sku": "${"x".repeat(950_000)}", "quantity": 3}`),
  ).rejects.toThrow("more than 900000");
  await expect(
    client.redriveDeadLetter({
      name,
      edited: { case: "payload", value: Buffer.from([0xff]) },
    }),
  ).rejects.toMatchObject({ code: Code.InvalidArgument });
  await expect(
    client.redriveDeadLetter({ name, etag: "99" }),
  ).rejects.toMatchObject({ code: Code.Aborted });
  await edit(`{"sku": "good", "quantity": 3}`);

  await world.consumers.until("the mended one is in", (effects) =>
    effects.includes("one good"),
  );
  const { deadLetter } = await client.getDeadLetter({ name });
  expect(deadLetter?.payload).toEqual(payload("good", 3));
  expect(deadLetter?.originalPayload).toEqual(payload("bad", 3));
  const { deadLetterAuditRecords: audit } =
    await client.listDeadLetterAuditRecords({});
  expect(audit[0]).toMatchObject({
    action: Action.REDRIVE_EDITED,
    payloadSha256Before: sha256(payload("bad", 3)),
    payloadSha256After: sha256(payload("good", 3)),
  });
});

test("keeps what a newer producer said through a redrive, as it is or edited", async () => {
  await using world = await setupEvents(database.url);
  world.startGroup("one", refuse(["bad"]).check);
  // Field 900 is of a contract that is newer than this code.
  const newer = new BinaryWriter()
    .raw(payload("bad", 3))
    .tag(900, WireType.Varint)
    .uint32(42)
    .finish();
  await world.consumers.publish({ ...line("a", "bad", 3), data: newer });
  const [letter] = await world.pending(1);
  const client = world.client();
  const retried = world.consumers.collect("one.retry.1");

  await client.redriveDeadLetter({
    name: letter?.name ?? "",
    edited: { case: "payloadJson", value: `{"sku": "good", "quantity": 3}` },
  });

  await world.consumers.until("it is in", (effects) =>
    effects.includes("one good"),
  );
  await eventually("the sent record is seen", () =>
    retried.some(({ headers }) => headers["weft_redrive"]),
  );
  const sent = retried.find(({ headers }) => headers["weft_redrive"]);
  expect(
    Buffer.from(sent?.value ?? []).includes(
      Buffer.from(
        new BinaryWriter().tag(900, WireType.Varint).uint32(42).finish(),
      ),
    ),
  ).toBe(true);
  expect(sent?.headers["ce_id"]).toBe(letter?.eventId);
});

test("discards with a reason, once and for all", async () => {
  await using world = await setupEvents(database.url);
  world.startGroup("one", refuse(["bad"]).check);
  await world.consumers.publish(line("a", "bad"));
  const [letter] = await world.pending(1);
  const name = letter?.name ?? "";
  const client = world.client();

  await expect(client.discardDeadLetter({ name })).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
  const { deadLetter } = await client.discardDeadLetter({
    name,
    reason: "a test order",
  });

  expect(deadLetter?.state).toBe(State.DISCARDED);
  await expect(client.redriveDeadLetter({ name })).rejects.toMatchObject({
    code: Code.FailedPrecondition,
  });
  const { deadLetterAuditRecords: audit } =
    await client.listDeadLetterAuditRecords({});
  expect(audit).toMatchObject([
    { action: Action.DISCARD, reason: "a test order", payloadSha256After: "" },
  ]);
});

test("redrives by a filter, the first failed first, and says whether more are left", async () => {
  await using world = await setupEvents(database.url);
  const broken = refuse(["bad"]);
  world.startGroup("one", broken.check);
  world.startGroup("two", broken.check);
  await world.consumers.publish(
    ...Array.from({ length: 5 }, (_, n) => line(`k${n}`, "bad")),
  );
  await world.pending(10);
  broken.skus.clear();
  const client = world.client();
  const request = { group: "one", maxCount: 3, requestId: randomUUID() };

  const first = await client.batchRedriveDeadLetters(request);
  const repeated = await client.batchRedriveDeadLetters(request);
  const rest = await client.batchRedriveDeadLetters({ group: "one" });

  expect(first).toMatchObject({ redrivenCount: 3, more: true });
  expect(repeated).toMatchObject({ redrivenCount: 3, more: true });
  expect(rest).toMatchObject({ redrivenCount: 2, more: false });
  await world.consumers.until(
    "group one has all",
    (effects) => effects.length === 5,
  );
  expect((await world.pending(5)).every(({ group }) => group === "two")).toBe(
    true,
  );
});

test("sends what was decided though the process died before it could", async () => {
  await using world = await setupEvents(database.url, { sends: false });
  const broken = refuse(["x"]);
  world.startGroup("one", broken.check);
  await world.consumers.publish(line("a", "x"));
  const [letter] = await world.pending(1);
  broken.skus.clear();

  await world.client().redriveDeadLetter({ name: letter?.name ?? "" });
  await untilState(world, letter?.name, State.REDRIVING);
  expect(await world.consumers.effects()).toEqual([]);
  world.startSender();

  await world.consumers.until("it is in", (effects) => effects.length === 1);
});

test("redrives what is too large for one batch of Kafka's, in order", async () => {
  await using world = await setupEvents(database.url);
  const mended = await buryRounds(world, 20, 60_000);

  const { redrivenCount } = await world.client().batchRedriveDeadLetters({});

  expect(redrivenCount).toBe(20);
  await world.consumers.until("all are in", (effects) => effects.length === 20);
  expect(await world.consumers.effects()).toEqual(mended);
});

test("sends the letters of a key in order though two senders run", async () => {
  await using world = await setupEvents(database.url, { sends: false });
  await buryRounds(world, 40);
  const letters = await world.consumers.db.query<{ id: string }>(
    "select event_id as id from dead_letters order by record_offset",
  );
  await world.client().batchRedriveDeadLetters({});
  const sent: (string | undefined)[] = [];
  let tries = 0;
  const bus: Pick<EventBus, "produce"> = {
    async produce(records) {
      tries += 1;
      if (tries === 1) {
        // It takes so long that the other sender could overtake it.
        const overtaken = eventually("it sends", () => tries > 1, 1_000);
        await overtaken.catch(() => undefined);
      }
      sent.push(...records.map(({ headers }) => headers["ce_id"]));
    },
  };

  world.startSender(bus);
  world.startSender(bus);

  await eventually("all are sent", () => sent.length === 40);
  expect(sent).toEqual(letters.rows.map(({ id }) => id));
});

test("stores a letter that is delivered twice once, and a stale one does not reopen it", async () => {
  await using world = await setupEvents(database.url);
  world.startGroup("one", refuse(["bad"]).check);
  await world.consumers.publish(line("a", "bad"));
  const [letter] = await world.pending(1);
  const copies = world.consumers.collect("weft.order.v1.one.dlt");
  await eventually("the letter is read", () => copies.length === 1);
  const [copy] = copies;
  if (copy === undefined) throw new Error("no letter");
  const client = world.client();
  await client.discardDeadLetter({ name: letter?.name ?? "", reason: "x" });

  await world.consumers.bus.produce([{ ...copy, key: "a" }]);
  await world.consumers.publish(line("b", "bad"));

  const [other] = await world.pending(1);
  expect(other?.key).toBe("b");
  await untilState(world, letter?.name, State.DISCARDED);
});

test("takes another event for another letter though it came from the same offset, as of a topic that was made anew", async () => {
  await using world = await setupEvents(database.url);
  const [first, second] = [line("a", "x"), line("a", "x")];

  await world.consumers.bus.produce(
    [first, second, second].map((each) => buried(each, 0)),
  );
  await world.consumers.bus.produce([buried(line("a", "x"), 1)]);

  const letters = await world.pending(3);
  expect(
    letters
      .slice(0, 2)
      .map(({ eventId }) => eventId)
      .toSorted(),
  ).toEqual([first.id, second.id].toSorted());
});

test("takes letters in whatever their headers hold", async () => {
  await using world = await setupEvents(database.url);
  const odd = [
    { weft_redrive: "-".repeat(36) },
    { dlt_attempts: "1.5" },
    { dlt_attempts: "1e30" },
    { dlt_original_partition: "4000000000" },
  ];

  await world.consumers.bus.produce(
    odd.map((headers, offset) => {
      const letter = buried(line("a", "x"), offset);
      return { ...letter, headers: { ...letter.headers, ...headers } };
    }),
  );
  await world.consumers.bus.produce([buried(line("a", "x"), 9)]);

  const letters = await world.pending(4);
  expect(letters.map(({ offset }) => Number(offset))).toEqual([0, 1, 2, 9]);
});

test("lets nobody in without its scope, and tells what does not exist", async () => {
  await using world = await setupEvents(database.url);
  const name = `deadLetters/${randomUUID()}`;

  await expect(
    world.client("orders:read").listDeadLetters({}),
  ).rejects.toMatchObject({
    code: Code.PermissionDenied,
  });
  await expect(world.client().getDeadLetter({ name })).rejects.toMatchObject({
    code: Code.NotFound,
  });
  await expect(
    world.client().redriveDeadLetter({ name }),
  ).rejects.toMatchObject({ code: Code.NotFound });
});

function refuse(skus: readonly string[]) {
  const refused = new Set(skus);
  return {
    skus: refused,
    check(sku: string): void {
      if (refused.has(sku)) throw new Error("refused");
    },
  };
}

/** Has a group give up so many events of one key, each of so many bytes; answers the effects of their redrive, in order. */
async function buryRounds(
  world: EventsWorld,
  count: number,
  bytes = 0,
): Promise<string[]> {
  let broken = true;
  world.startGroup("one", (sku) => {
    if (!broken) return;
    throw new DomainError({
      code: "invalid_argument",
      reason: "BAD",
      message: sku,
    });
  });
  const skus = Array.from({ length: count }, (_, n) => `round-${n}`);
  for (const sku of skus) {
    // Field 900 is of a contract that is newer than this code.
    const data = new BinaryWriter()
      .raw(payload(sku))
      .tag(900, WireType.LengthDelimited)
      .bytes(new Uint8Array(bytes))
      .finish();
    await world.consumers.publish({ ...line("a", sku), data });
  }
  await world.pending(count);
  broken = false;
  return skus.map((sku) => `one ${sku}`);
}

/** What the group "one" writes when it gives up an event that came from this offset. */
function buried(event: NewEvent, offset: number): OutgoingRecord {
  const record = toRecord({ ...event, source: "/weft/test" }, {});
  const at = new Date(1_800_000_000_000 + offset);
  return toDeadLetter(
    { ...record, partition: 0, offset: BigInt(offset) },
    {
      group: "one",
      error: new Error("refused"),
      attempts: 1,
      firstFailureAt: at,
      lastFailureAt: at,
    },
  );
}

function payload(sku: string, quantity = 1): Uint8Array {
  return toBinary(OrderLineSchema, create(OrderLineSchema, { sku, quantity }));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function untilState(
  world: EventsWorld,
  name = "",
  state: State,
): Promise<void> {
  return eventually(`it is in state ${state}`, async () => {
    const { deadLetter } = await world.client().getDeadLetter({ name });
    return deadLetter?.state === state;
  });
}
