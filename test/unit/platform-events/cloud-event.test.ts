import { create, fromBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  type CloudEvent,
  fromRecord,
  newEvent,
  topicOf,
  toRecord,
} from "../../../services/platform/events/cloud-event.ts";
import type { IncomingRecord } from "../../../services/platform/events/event-bus.ts";

describe("a cloud event", () => {
  it("is the same after a journey through a record", () => {
    const event = placed();

    const read = fromRecord(incoming(toRecord(event, {})));

    expect(read).toEqual(event);
    expect(fromBinary(StringValueSchema, read.data).value).toBe("ORD-123");
  });

  it("names its attributes as the Kafka binding says, and carries the trace along", () => {
    const { topic, key, headers } = toRecord(placed(), {
      traceparent: "00-1-2-01",
    });

    expect(topic).toBe("google.protobuf");
    expect(key).toBe("ORD-123");
    expect(headers).toEqual({
      "content-type": "application/protobuf",
      ce_specversion: "1.0",
      ce_dataschemaversion: "1",
      ce_id: "0190a000-0000-7000-8000-000000000000",
      ce_type: "google.protobuf.StringValue",
      ce_source: "/weft/order",
      ce_subject: "ORD-123",
      ce_time: "2026-01-02T03:04:05.678Z",
      ce_tenant: "acme",
      ce_sequence: "7",
      traceparent: "00-1-2-01",
    });
  });

  it("has no sequence where its aggregate has none", () => {
    const record = toRecord({ ...placed(), sequence: undefined }, {});

    expect(record.headers).not.toHaveProperty("ce_sequence");
    expect(fromRecord(incoming(record)).sequence).toBeUndefined();
  });

  it("gets a new uuidv7 when none is given", () => {
    const { id } = newEvent(StringValueSchema, create(StringValueSchema), {
      aggregateId: "a",
      tenant: "acme",
      occurredAt: new Date(),
    });

    expect(id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  it.each([
    ["no content type", { "content-type": undefined }],
    ["another content type", { "content-type": "application/json" }],
    ["no version", { ce_specversion: undefined }],
    ["another major version", { ce_specversion: "2.0" }],
    ["no id", { ce_id: undefined }],
    ["an empty id", { ce_id: "" }],
    ["an id that no column holds", { ce_id: "x".repeat(256) }],
    ["no type", { ce_type: undefined }],
    ["no source", { ce_source: undefined }],
    ["a time that is none", { ce_time: "yesterday" }],
    ["a sequence that is none", { ce_sequence: "-1" }],
  ])("is refused with %s", (_, change) => {
    const record = toRecord(placed(), {});
    const headers = Object.entries({ ...record.headers, ...change }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );

    const read = () =>
      fromRecord(incoming({ ...record, headers: Object.fromEntries(headers) }));

    expect(read).toThrow(
      expect.objectContaining({
        code: "invalid_argument",
        reason: "MALFORMED_EVENT",
      }),
    );
  });
});

describe("topicOf", () => {
  it("is the package of the type, so one aggregate's events share a topic", () => {
    expect(topicOf("weft.order.v1.OrderPlaced")).toBe("weft.order.v1");
    expect(topicOf("weft.order.v1.OrderCancelled")).toBe("weft.order.v1");
  });

  it("refuses a type without a package", () => {
    expect(() => topicOf("OrderPlaced")).toThrow("full message name");
  });
});

function placed(): CloudEvent {
  const event = newEvent(
    StringValueSchema,
    create(StringValueSchema, { value: "ORD-123" }),
    {
      id: "0190a000-0000-7000-8000-000000000000",
      aggregateId: "ORD-123",
      tenant: "acme",
      occurredAt: new Date("2026-01-02T03:04:05.678Z"),
      sequence: 7n,
    },
  );
  return { ...event, source: "/weft/order" };
}

function incoming(record: ReturnType<typeof toRecord>): IncomingRecord {
  return { ...record, partition: 0, offset: 0n };
}
