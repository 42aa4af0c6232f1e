import type {
  DescEnum,
  DescField,
  DescMessage,
  Registry,
} from "@bufbuild/protobuf";
import { describe } from "../contracts/describe.ts";
import { readFieldBehavior } from "./field-behavior.ts";
import { readFieldRules } from "./field-rules.ts";
import { compact, type JsonSchema } from "./json-schema.ts";
import { scalarSchema } from "./scalar-schema.ts";
import { wellKnownSchemas } from "./well-known-schemas.ts";

/** The schemas of the messages that a document refers to; each is made when it is first asked for. */
export interface MessageSchemas {
  /** A reference to the schema of a message. */
  refer(message: DescMessage): JsonSchema;
  /** The schema of an object that has some of a message's fields only. */
  objectOf(fields: readonly DescField[], description?: string): JsonSchema;
  /** The schema of one field. */
  field(field: DescField): JsonSchema;
  /** All that were referred to, by name. */
  components(): Record<string, JsonSchema>;
}

/** ProtoJSON's form of the messages, with the rules of their contracts. */
export function createMessageSchemas(registry: Registry): MessageSchemas {
  const made = new Map<string, JsonSchema>();

  const refer = (message: DescMessage): JsonSchema => {
    const known = wellKnownSchemas[message.typeName];
    if (known) return known;
    if (!made.has(message.typeName)) {
      // Before its fields are looked at: a message may hold itself.
      made.set(message.typeName, {});
      made.set(message.typeName, objectOf(message.fields, describe(message)));
    }
    return { $ref: `#/components/schemas/${message.typeName}` };
  };

  const referEnum = (desc: DescEnum): JsonSchema => {
    made.set(desc.typeName, enumSchema(desc));
    return { $ref: `#/components/schemas/${desc.typeName}` };
  };

  const objectOf = (
    fields: readonly DescField[],
    description?: string,
  ): JsonSchema => {
    const required = fields
      .filter((each) => isRequired(each, registry))
      .map(({ jsonName }) => jsonName);
    return compact({
      type: "object",
      description,
      properties: Object.fromEntries(
        fields.map((each) => [each.jsonName, field(each)]),
      ),
      required: required.length > 0 ? required : undefined,
      additionalProperties: false,
    });
  };

  const field = (desc: DescField): JsonSchema => {
    const rules = readFieldRules(desc, registry);
    const behavior = readFieldBehavior(desc, registry);
    const about = [describe(desc), ...rules.notes].filter(Boolean).join("\n\n");
    return compact({
      ...typeOf(desc, rules.items),
      ...rules.keywords,
      description: about || undefined,
      readOnly: behavior.outputOnly || undefined,
      writeOnly: behavior.inputOnly || undefined,
    });
  };

  const typeOf = (desc: DescField, items: JsonSchema): JsonSchema => {
    switch (desc.fieldKind) {
      case "scalar":
        return scalarSchema(desc.scalar);
      case "enum":
        return referEnum(desc.enum);
      case "message":
        return refer(desc.message);
      case "list":
        return { type: "array", items: { ...itemOf(desc), ...items } };
      case "map":
        return { type: "object", additionalProperties: itemOf(desc) };
    }
  };

  const itemOf = (
    desc: DescField & { fieldKind: "list" | "map" },
  ): JsonSchema => {
    if (desc.message) return refer(desc.message);
    if (desc.enum) return referEnum(desc.enum);
    return scalarSchema(desc.scalar);
  };

  return {
    refer,
    objectOf,
    field,
    components: () =>
      Object.fromEntries(
        [...made].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
      ),
  };
}

/** Whether a request has to bring the field. */
export function isRequired(field: DescField, registry: Registry): boolean {
  const behavior = readFieldBehavior(field, registry);
  return behavior.required || readFieldRules(field, registry).required;
}

function enumSchema(desc: DescEnum): JsonSchema {
  const values = desc.values.map(
    (value) => `- \`${value.name}\`: ${describe(value) ?? ""}`,
  );
  return {
    type: "string",
    enum: desc.values.map(({ name }) => name),
    description: [describe(desc), values.join("\n")].join("\n\n"),
  };
}
