import type { DescField, DescMessage, Registry } from "@bufbuild/protobuf";
import { describe } from "../contracts/describe.ts";
import { compact, type JsonSchema } from "./json-schema.ts";
import { isRequired, type MessageSchemas } from "./message-schemas.ts";
import { readFieldBehavior } from "./field-behavior.ts";
import { wellKnownSchemas } from "./well-known-schemas.ts";

/**
 * The query parameters of a request: every field that neither the path nor the body binds, those of nested messages
 * dotted, as the transcoder takes them. Lists of messages and maps can't be written into a query.
 */
export function queryParameters(
  fields: readonly DescField[],
  schemas: MessageSchemas,
  registry: Registry,
): JsonSchema[] {
  return leaves(fields, "", [], registry).map(({ name, field }) =>
    compact({
      name,
      in: "query",
      required:
        isTopLevel(name) && isRequired(field, registry) ? true : undefined,
      description: describe(field),
      schema: withoutDescription(schemas.field(field)),
    }),
  );
}

interface Leaf {
  readonly name: string;
  readonly field: DescField;
}

function leaves(
  fields: readonly DescField[],
  prefix: string,
  above: readonly DescMessage[],
  registry: Registry,
): Leaf[] {
  return fields.flatMap((field): Leaf[] => {
    if (readFieldBehavior(field, registry).outputOnly) return [];
    const name = `${prefix}${field.jsonName}`;
    switch (field.fieldKind) {
      case "scalar":
      case "enum":
        return [{ name, field }];
      case "list":
        return field.message ? [] : [{ name, field }];
      case "map":
        return [];
      case "message":
        if (wellKnownSchemas[field.message.typeName]) return [{ name, field }];
        // A message that holds itself has no end.
        return above.includes(field.message)
          ? []
          : leaves(
              field.message.fields,
              `${name}.`,
              [...above, field.message],
              registry,
            );
    }
  });
}

function isTopLevel(name: string): boolean {
  return !name.includes(".");
}

function withoutDescription(schema: JsonSchema): JsonSchema {
  return compact({ ...schema, description: undefined });
}
