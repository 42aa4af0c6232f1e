import {
  getExtension,
  hasExtension,
  toJson,
  type DescMethod,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { z } from "zod";

const policySchema = z.object({
  access: z
    .enum([
      "ACCESS_UNSPECIFIED",
      "ACCESS_PUBLIC",
      "ACCESS_USER",
      "ACCESS_SERVICE",
    ])
    .default("ACCESS_UNSPECIFIED"),
  scopes: z.array(z.string()).default([]),
  callers: z.array(z.string()).default([]),
  rateClass: z.string().default(""),
  auditFields: z.array(z.string()).default([]),
  /** ProtoJSON writes a duration as seconds: "5s", "0.250s". */
  timeout: z
    .string()
    .transform((text) => Math.round(Number.parseFloat(text) * 1000))
    .optional(),
});

/** `weft.policy.v1.MethodPolicy` as it was stated; `timeout` is in milliseconds. */
export type StatedPolicy = z.infer<typeof policySchema>;

/** The policy that a method states, if it states one. */
export function readPolicy(
  method: DescMethod,
  registry: Registry,
): StatedPolicy | undefined {
  const json = readMethodOption(method, registry, "weft.policy.v1.method");
  return json === undefined ? undefined : policySchema.parse(json);
}

/** A custom option of a method as ProtoJSON, if the method has it and the contracts import its definition. */
export function readMethodOption(
  method: DescMethod,
  registry: Registry,
  typeName: string,
): unknown {
  const extension = registry.getExtension(typeName);
  const options = method.proto.options;
  if (extension === undefined || options === undefined) return undefined;
  if (!hasExtension(options, extension)) return undefined;
  if (extension.message === undefined) return undefined;
  // An extension with `message` holds a message of that type.
  const value = getExtension(options, extension) as Message;
  return toJson(extension.message, value, { registry });
}
