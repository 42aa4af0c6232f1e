import {
  create,
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  MessageOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { setExtension } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { event_version } from "../../../gen/ts/weft/policy/v1/policy_pb.ts";
import { newEvent } from "../../../services/platform/events/cloud-event.ts";
import {
  on,
  type ReceivedEvent,
} from "../../../services/platform/events/event-handler.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { startRelay } from "../../../services/platform/events/relay.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { setupConsumers } from "./consumer-world.ts";

/** One event's contract as two releases have it: the second one adds fields, and says so. */
const first = contract(1, ["name"]);
const second = contract(2, ["name", "colour", "tags"]);

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "events" });
});

afterAll(() => database.close());

test("an old consumer reads a new event, is told its version, and keeps what it does not know", async () => {
  const received = await carry(second, { name: "mug", colour: "red" }, first);

  expect(received.schemaVersion).toBe(2);
  expect(received.message).toMatchObject({ name: "mug" });
  expect(received.message).not.toHaveProperty("colour");
  // What it writes on, a newer one reads whole.
  const passedOn = toBinary(first, received.message);
  expect(fromBinary(second, passedOn)).toMatchObject({
    name: "mug",
    colour: "red",
  });
});

test("a new consumer reads an old event, with defaults for what came later", async () => {
  const received = await carry(first, { name: "mug" }, second);

  expect(received.schemaVersion).toBe(1);
  expect(received.message).toMatchObject({ name: "mug", colour: "", tags: "" });
});

/** Sends an event of one release through outbox, relay and Kafka to a consumer of another. */
async function carry(
  producer: DescMessage,
  fields: Record<string, string>,
  consumer: DescMessage,
): Promise<ReceivedEvent<DescMessage>> {
  await using world = await setupConsumers(database.url);
  const { db, bus } = world;
  await using relay = startRelay({
    db,
    bus,
    logger: silentLogger,
    source: "/weft/test",
  });
  const received: ReceivedEvent<DescMessage>[] = [];
  world.start({
    handlers: [
      on(consumer, (_, event) => {
        received.push(event);
        return Promise.resolve();
      }),
    ],
  });
  const message: Message = create(producer, fields);
  const event = newEvent(producer, message, {
    aggregateId: "a",
    tenant: "acme",
    occurredAt: new Date(),
  });

  await db.transaction((tx) => createOutbox(relay).add(tx, event));

  await eventually("it is received", () => received.length > 0);
  const [only] = received;
  if (only === undefined) throw new Error("nothing was received");
  return only;
}

function contract(version: number, fields: readonly string[]): DescMessage {
  const options = create(MessageOptionsSchema);
  if (version > 1) setExtension(options, event_version, version);
  const file = create(FileDescriptorProtoSchema, {
    name: "weft/test/v1/things.proto",
    package: "weft.test.v1",
    syntax: "proto3",
    messageType: [
      create(DescriptorProtoSchema, {
        name: "ThingMade",
        options,
        field: fields.map((name, index) =>
          create(FieldDescriptorProtoSchema, {
            name,
            jsonName: name,
            number: index + 1,
            type: Type.STRING,
            label: Label.OPTIONAL,
          }),
        ),
      }),
    ],
  });
  const desc = createFileRegistry(file, () => undefined).getMessage(
    "weft.test.v1.ThingMade",
  );
  if (desc === undefined) throw new Error("no contract");
  return desc;
}
