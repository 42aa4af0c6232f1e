import type { DescFile, Registry } from "@bufbuild/protobuf";
import { describe } from "../contracts/describe.ts";
import { errorComponents, errorSchema } from "./error-responses.ts";
import type { JsonSchema } from "./json-schema.ts";
import { createMessageSchemas } from "./message-schemas.ts";
import { operationsOf, type Operation } from "./operations.ts";

/** The OpenAPI 3.1 document of all contracts. Sorted by name, so that it changes only with them. */
export function openApiDocument(
  files: readonly DescFile[],
  registry: Registry,
): JsonSchema {
  const services = files
    .flatMap((file) => file.services)
    .toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1));
  const schemas = createMessageSchemas(registry);
  const operations = services.flatMap((service) =>
    operationsOf(service, schemas, registry),
  );
  const tags = new Set(operations.flatMap(tagsOf));
  return {
    openapi: "3.1.0",
    info: {
      title: "weft",
      version: "1",
      description:
        "The REST form of weft's services, generated from their contracts. The same methods are there over gRPC, Connect and gRPC-Web.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [
      { url: "https://localhost:8443", description: "The local mesh." },
    ],
    tags: services
      .filter(({ typeName }) => tags.has(typeName))
      .map((service) => ({
        name: service.typeName,
        description: describe(service) ?? "",
      })),
    paths: pathsOf(operations),
    components: {
      schemas: { ...schemas.components(), "google.rpc.Status": errorSchema },
      responses: errorComponents(),
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description:
            "A token of the configured issuer. It needs the scopes that an operation lists.",
        },
      },
    },
  };
}

function tagsOf({ operation }: Operation): readonly string[] {
  // Ours: operationsOf writes the service's name there.
  return operation["tags"] as readonly string[];
}

function pathsOf(operations: readonly Operation[]): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  const sorted = operations.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, verb, operation } of sorted) {
    (paths[path] ??= {})[verb] = operation;
  }
  return paths;
}
