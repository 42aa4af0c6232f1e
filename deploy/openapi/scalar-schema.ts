import { ScalarType } from "@bufbuild/protobuf";
import type { JsonSchema } from "./json-schema.ts";
import { int64Schemas } from "./well-known-schemas.ts";

const int32: JsonSchema = {
  type: "integer",
  format: "int32",
  minimum: -2_147_483_648,
  maximum: 2_147_483_647,
};
const uint32: JsonSchema = {
  type: "integer",
  minimum: 0,
  maximum: 4_294_967_295,
};

/** How ProtoJSON writes a scalar. */
export function scalarSchema(type: ScalarType): JsonSchema {
  switch (type) {
    case ScalarType.STRING:
      return { type: "string" };
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.DOUBLE:
      return { type: "number", format: "double" };
    case ScalarType.FLOAT:
      return { type: "number", format: "float" };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return int32;
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return uint32;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return int64Schemas.int64;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return int64Schemas.uint64;
  }
}
