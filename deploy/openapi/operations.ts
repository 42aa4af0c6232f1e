import type { DescMethod, DescService, Registry } from "@bufbuild/protobuf";
import { readRestBindings } from "../edge/http-rule.ts";
import { readPolicy } from "../edge/method-policy.ts";
import type { RestBinding } from "../edge/route-table.ts";
import { describe, summarize } from "../contracts/describe.ts";
import { errorResponses } from "./error-responses.ts";
import { compact, type JsonSchema } from "./json-schema.ts";
import type { MessageSchemas } from "./message-schemas.ts";
import { queryParameters } from "./query-parameters.ts";
import { openPath } from "./rest-path.ts";

export interface Operation {
  readonly path: string;
  /** `get`, `post`, ... */
  readonly verb: string;
  readonly operation: JsonSchema;
}

/** The operations of a service: one for each REST binding of each method that a client may call. */
export function operationsOf(
  service: DescService,
  schemas: MessageSchemas,
  registry: Registry,
): Operation[] {
  return service.methods.flatMap((method) =>
    readRestBindings(method, registry).map((binding, index) =>
      toOperation(method, binding, index, schemas, registry),
    ),
  );
}

function toOperation(
  method: DescMethod,
  binding: RestBinding,
  index: number,
  schemas: MessageSchemas,
  registry: Registry,
): Operation {
  const { path, parameters, bound } = openPath(
    binding.pattern,
    method.input,
    registry,
  );
  const comment = describe(method) ?? "";
  const policy = readPolicy(method, registry);
  const free = method.input.fields.filter(({ name }) => !bound.has(name));
  const inQuery =
    binding.body === "*"
      ? []
      : free.filter(({ name }) => name !== binding.body);
  const body = requestBody(method, binding, bound, schemas);
  return {
    path,
    verb: binding.verb.toLowerCase(),
    operation: compact({
      operationId: `${method.parent.name}_${method.name}${index || ""}`,
      tags: [method.parent.typeName],
      summary: summarize(comment),
      description: comment,
      parameters: [
        ...parameters,
        ...queryParameters(inQuery, schemas, registry),
      ],
      requestBody: body,
      responses: {
        "200": answer(method, binding, schemas),
        ...errorResponses({ comment, hasBody: body !== undefined }),
      },
      security:
        policy?.access === "ACCESS_USER" ? [{ token: policy.scopes }] : [],
      "x-weft-rate-class": policy?.rateClass || undefined,
      "x-weft-timeout-ms": policy?.timeout,
      "x-weft-rpc": `${method.parent.typeName}/${method.name}`,
    }),
  };
}

function requestBody(
  method: DescMethod,
  binding: RestBinding,
  bound: ReadonlySet<string>,
  schemas: MessageSchemas,
): JsonSchema | undefined {
  if (binding.body === undefined) return undefined;
  const field = method.input.fields.find(({ name }) => name === binding.body);
  const schema = field
    ? schemas.field(field)
    : schemas.objectOf(
        method.input.fields.filter(({ name }) => !bound.has(name)),
      );
  return { required: true, content: { "application/json": { schema } } };
}

function answer(
  method: DescMethod,
  binding: RestBinding,
  schemas: MessageSchemas,
): JsonSchema {
  const field = method.output.fields.find(
    ({ jsonName }) => jsonName === binding.responseBody,
  );
  const schema = field ? schemas.field(field) : schemas.refer(method.output);
  if (method.methodKind === "unary") {
    return {
      description: "The answer.",
      content: { "application/json": { schema } },
    };
  }
  // OpenAPI 3.1 has no word for a stream of items; the schema is that of one line.
  return {
    description: "A stream: one JSON object a line, each of this schema.",
    content: { "application/x-ndjson": { schema } },
  };
}
