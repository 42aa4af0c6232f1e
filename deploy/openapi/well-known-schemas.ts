import type { JsonSchema } from "./json-schema.ts";

const int64: JsonSchema = { type: "string", pattern: "^-?[0-9]{1,19}$" };
const uint64: JsonSchema = { type: "string", pattern: "^[0-9]{1,20}$" };

/** The messages that ProtoJSON writes in a form of their own. */
export const wellKnownSchemas: Readonly<Record<string, JsonSchema>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": {
    type: "string",
    pattern: "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$",
  },
  "google.protobuf.FieldMask": { type: "string" },
  "google.protobuf.Empty": { type: "object", additionalProperties: false },
  "google.protobuf.Any": {
    type: "object",
    properties: { "@type": { type: "string" } },
    required: ["@type"],
  },
  "google.protobuf.Struct": { type: "object" },
  "google.protobuf.Value": {},
  "google.protobuf.ListValue": { type: "array" },
  "google.protobuf.BoolValue": { type: "boolean" },
  "google.protobuf.StringValue": { type: "string" },
  "google.protobuf.BytesValue": { type: "string", contentEncoding: "base64" },
  "google.protobuf.DoubleValue": { type: "number" },
  "google.protobuf.FloatValue": { type: "number" },
  "google.protobuf.Int32Value": { type: "integer", format: "int32" },
  "google.protobuf.UInt32Value": { type: "integer", minimum: 0 },
  "google.protobuf.Int64Value": int64,
  "google.protobuf.UInt64Value": uint64,
};

/** 64-bit integers are strings in ProtoJSON: a JSON number holds 53 bits in most languages. */
export const int64Schemas = { int64, uint64 } as const;
