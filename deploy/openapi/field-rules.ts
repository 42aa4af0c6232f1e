import {
  getExtension,
  hasExtension,
  toJson,
  type DescField,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { z } from "zod";
import { compact, type JsonSchema } from "./json-schema.ts";

const count = z.union([z.string(), z.number()]).transform(Number).optional();

const textRules = z.object({
  const: z.string().optional(),
  len: count,
  minLen: count,
  maxLen: count,
  pattern: z.string().optional(),
  in: z.array(z.string()).optional(),
  uuid: z.boolean().optional(),
  email: z.boolean().optional(),
  uri: z.boolean().optional(),
});
const numberRules = z.object({
  gte: count,
  gt: count,
  lte: count,
  lt: count,
  in: z.array(z.number()).optional(),
});
const enumRules = z.object({
  notIn: z.array(z.number()).optional(),
  in: z.array(z.number()).optional(),
});

const celRules = z
  .array(z.object({ message: z.string().default("") }))
  .default([]);

interface Rules {
  readonly required: boolean;
  readonly ignoreIfZero: boolean;
  readonly string?: z.infer<typeof textRules> | undefined;
  readonly int32?: z.infer<typeof numberRules> | undefined;
  readonly uint32?: z.infer<typeof numberRules> | undefined;
  readonly double?: z.infer<typeof numberRules> | undefined;
  readonly enum?: z.infer<typeof enumRules> | undefined;
  readonly repeated?:
    | {
        readonly minItems?: number | undefined;
        readonly maxItems?: number | undefined;
        readonly unique?: boolean | undefined;
        readonly items?: Rules | undefined;
      }
    | undefined;
  readonly cel: readonly { readonly message: string }[];
}

const rulesSchema: z.ZodType<Rules> = z.lazy(() =>
  z
    .object({
      required: z.boolean().default(false),
      ignore: z.string().optional(),
      string: textRules.optional(),
      int32: numberRules.optional(),
      uint32: numberRules.optional(),
      double: numberRules.optional(),
      enum: enumRules.optional(),
      repeated: z
        .object({
          minItems: count,
          maxItems: count,
          unique: z.boolean().optional(),
          items: rulesSchema.optional(),
        })
        .optional(),
      cel: celRules,
    })
    .transform(({ ignore, ...rules }) => ({
      ...rules,
      ignoreIfZero: ignore === "IGNORE_IF_ZERO_VALUE",
    })),
);

/** What `buf.validate` asks of a field, as far as JSON Schema can say it; the rest is told in words. */
export interface FieldRules {
  /** Keywords of the field's schema. */
  readonly keywords: JsonSchema;
  /** Keywords of the schema of its items, where it is a list. */
  readonly items: JsonSchema;
  readonly required: boolean;
  /** Rules in words. */
  readonly notes: readonly string[];
}

/** Reads the rules of a field from its options. */
export function readFieldRules(
  field: DescField,
  registry: Registry,
): FieldRules {
  const extension = registry.getExtension("buf.validate.field");
  const { options } = field.proto;
  if (!extension?.message || !options || !hasExtension(options, extension)) {
    return { keywords: {}, items: {}, required: false, notes: [] };
  }
  // An extension with `message` holds a message of that type.
  const value = getExtension(options, extension) as Message;
  const rules = rulesSchema.parse(
    toJson(extension.message, value, { registry }),
  );
  return {
    keywords: { ...keywordsOf(rules), ...listKeywords(rules) },
    items: rules.repeated?.items ? keywordsOf(rules.repeated.items) : {},
    required: rules.required,
    notes: rules.cel.map(({ message }) => message).filter(Boolean),
  };
}

function keywordsOf(rules: Rules): JsonSchema {
  const keywords = { ...textKeywords(rules), ...numberKeywords(rules) };
  return rules.ignoreIfZero && rules.string
    ? { anyOf: [{ const: "" }, keywords] }
    : keywords;
}

function textKeywords({ string: text }: Rules): JsonSchema {
  if (text === undefined) return {};
  return compact({
    const: text.const,
    minLength: text.len ?? text.minLen,
    maxLength: text.len ?? text.maxLen,
    pattern: text.pattern,
    enum: text.in,
    format: text.uuid
      ? "uuid"
      : text.email
        ? "email"
        : text.uri
          ? "uri"
          : undefined,
  });
}

function numberKeywords({ int32, uint32, double }: Rules): JsonSchema {
  const number = int32 ?? uint32 ?? double;
  if (number === undefined) return {};
  return compact({
    minimum: number.gte,
    exclusiveMinimum: number.gt,
    maximum: number.lte,
    exclusiveMaximum: number.lt,
    enum: number.in,
  });
}

function listKeywords({ repeated }: Rules): JsonSchema {
  if (repeated === undefined) return {};
  return compact({
    minItems: repeated.minItems,
    maxItems: repeated.maxItems,
    uniqueItems: repeated.unique,
  });
}
