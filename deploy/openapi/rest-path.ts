import {
  getExtension,
  hasExtension,
  toJson,
  type DescField,
  type DescMessage,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { z } from "zod";
import { describe } from "../contracts/describe.ts";
import { readFieldRules } from "./field-rules.ts";
import { compact, type JsonSchema } from "./json-schema.ts";

/** A path of OpenAPI: `/v1/orders/{order}:cancel`, and what stands in its braces. */
export interface RestPath {
  readonly path: string;
  readonly parameters: readonly JsonSchema[];
  /** The fields of the request that the path binds. */
  readonly bound: ReadonlySet<string>;
}

const VARIABLE = /\{([A-Za-z0-9_.]+)(?:=([^{}]+))?\}/g;

/**
 * Opens the variables of a pattern up: `/v1/{name=orders/*}` is `/v1/orders/{order}`, named as the resource of the
 * contract names it.
 */
export function openPath(
  pattern: string,
  request: DescMessage,
  registry: Registry,
): RestPath {
  const bound = new Set<string>();
  const parameters: JsonSchema[] = [];
  const path = pattern.replace(
    VARIABLE,
    (_, fieldPath: string, segments = "*") => {
      bound.add(fieldPath);
      const field = request.fields.find(({ name }) => name === fieldPath);
      const parts = String(segments).split("/");
      return parts
        .map((part, index) => {
          if (part !== "*" && part !== "**") return part;
          const before = parts[index - 1];
          const name = before ? singular(before, registry) : fieldPath;
          const prefix = parts.slice(0, index).join("/");
          parameters.push(parameter(name, prefix, field, registry));
          return `{${name}}`;
        })
        .join("/");
    },
  );
  return { path, parameters, bound };
}

function parameter(
  name: string,
  prefix: string,
  field: DescField | undefined,
  registry: Registry,
): JsonSchema {
  return compact({
    name,
    in: "path",
    required: true,
    description: field && describe(field),
    schema: {
      type: "string",
      pattern: field ? idPattern(field, prefix, registry) : "^[^/:]+$",
    },
  });
}

/** The rule of a whole name, `^orders/[0-9a-f-]+$`, less the part that stands in the path already. */
function idPattern(
  field: DescField,
  prefix: string,
  registry: Registry,
): string {
  const { pattern } = readFieldRules(field, registry).keywords;
  const start = prefix ? `^${prefix}/` : "^";
  return typeof pattern === "string" && pattern.startsWith(start)
    ? `^${pattern.slice(start.length)}`
    : "^[^/:]+$";
}

const resourceSchema = z.object({
  plural: z.string().optional(),
  singular: z.string().optional(),
});

/** `order` for the collection `orders`: what the resource says, else without its s. */
function singular(collection: string, registry: Registry): string {
  const extension = registry.getExtension("google.api.resource");
  for (const desc of registry) {
    if (desc.kind !== "message" || !extension?.message) continue;
    const { options } = desc.proto;
    if (!options || !hasExtension(options, extension)) continue;
    // An extension with `message` holds a message of that type.
    const value = getExtension(options, extension) as Message;
    const resource = resourceSchema.parse(toJson(extension.message, value));
    if (resource.plural === collection && resource.singular) {
      return resource.singular;
    }
  }
  return collection.replace(/s$/, "");
}
