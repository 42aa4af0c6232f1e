import type { DescMessage, DescMethod, Registry } from "@bufbuild/protobuf";
import { z } from "zod";
import { hasOwnJson } from "./own-json.ts";
import { readMethodOption } from "./method-policy.ts";
import type { RestBinding } from "./route-table.ts";

const ruleSchema = z.object({
  get: z.string().optional(),
  put: z.string().optional(),
  post: z.string().optional(),
  delete: z.string().optional(),
  patch: z.string().optional(),
  custom: z.object({ kind: z.string(), path: z.string() }).optional(),
  body: z.string().optional(),
  responseBody: z.string().optional(),
});

const ruleWithBindingsSchema = ruleSchema.extend({
  additionalBindings: z.array(ruleSchema).default([]),
});

type Rule = z.infer<typeof ruleSchema>;

/** The REST bindings of a method, `additional_bindings` included, in the order of the contract. */
export function readRestBindings(
  method: DescMethod,
  registry: Registry,
): RestBinding[] {
  const json = readMethodOption(method, registry, "google.api.http");
  if (json === undefined) return [];
  const rule = ruleWithBindingsSchema.parse(json);
  return [rule, ...rule.additionalBindings].flatMap((one) =>
    toBinding(one, method),
  );
}

function toBinding(rule: Rule, method: DescMethod): RestBinding[] {
  const bodyType = bodyTypeOf(rule, method);
  const body = {
    ...(rule.body === undefined ? {} : { body: rule.body }),
    ...(bodyType === undefined ? {} : { bodyType }),
    ...(rule.responseBody === undefined
      ? {}
      : { responseBody: jsonName(method.output, rule.responseBody) }),
  };
  if (rule.custom !== undefined) {
    return [{ verb: rule.custom.kind, pattern: rule.custom.path, ...body }];
  }
  return (["get", "put", "post", "delete", "patch"] as const).flatMap(
    (verb) => {
      const pattern = rule[verb];
      return pattern === undefined
        ? []
        : [{ verb: verb.toUpperCase(), pattern, ...body }];
    },
  );
}

function bodyTypeOf({ body }: Rule, { input }: DescMethod): string | undefined {
  const message =
    body === "*"
      ? input
      : input.fields.find((field) => field.name === body)?.message;
  return message === undefined || hasOwnJson(message)
    ? undefined
    : message.typeName;
}

/** A field that is not there keeps its name; `findBindingFaults` reports it. */
function jsonName(message: DescMessage, name: string): string {
  return message.fields.find((field) => field.name === name)?.jsonName ?? name;
}
