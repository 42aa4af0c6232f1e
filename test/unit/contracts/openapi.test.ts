import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { z } from "zod";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import { openApiPlugin } from "../../../deploy/openapi/openapi-plugin.ts";
import { runPlugin } from "../edge/run-plugin.ts";

const table = readRouteTable(
  new URL("../../../gen/edge/routes.json", import.meta.url),
);

const operationSchema = z.object({
  "x-weft-rpc": z.string(),
  parameters: z.array(
    z.object({
      name: z.string(),
      in: z.string(),
      required: z.boolean().optional(),
    }),
  ),
  requestBody: z.unknown().optional(),
  responses: z.record(z.string(), z.unknown()),
  security: z.array(z.record(z.string(), z.array(z.string()))),
});
const documentSchema = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.object({
    schemas: z.record(z.string(), z.record(z.string(), z.unknown())),
  }),
});

function read(text: string): z.infer<typeof documentSchema> {
  return documentSchema.parse(JSON.parse(text));
}

function generate(contract: string): z.infer<typeof documentSchema> {
  const { error, files } = runPlugin(contract, openApiPlugin);
  expect(error).toBe("");
  return read(files["weft.openapi.json"] ?? "");
}

const policy = `option idempotency_level = IDEMPOTENT;
  option (weft.policy.v1.method) = {
    access: ACCESS_USER scopes: "tests:write" rate_class: "tests" timeout: {seconds: 5}
  };`;

it("describes every REST binding that a client may call, with its scopes", () => {
  const text = readFileSync("gen/openapi/weft.openapi.json", "utf8");
  const { paths } = read(text);
  const described = Object.values(paths)
    .flatMap((verbs) => Object.values(verbs))
    .map((operation) => ({
      rpc: operation["x-weft-rpc"],
      scopes: operation.security.flatMap(({ token }) => token ?? []),
    }));

  const bound = table.services.flatMap((service) =>
    service.methods.flatMap((method) =>
      method.rest.map(() => ({
        rpc: `${service.name}/${method.name}`,
        scopes: method.scopes,
      })),
    ),
  );
  expect(described).toHaveLength(bound.length);
  expect(described).toEqual(expect.arrayContaining(bound));
});

it("refers to nothing that it does not hold", () => {
  const text = readFileSync("gen/openapi/weft.openapi.json", "utf8");
  const references = [...text.matchAll(/"\$ref": "#\/([^"]+)"/g)];

  expect(references.length).toBeGreaterThan(50);
  for (const [, path = ""] of references) {
    const found = path
      .split("/")
      .reduce<unknown>(
        (at, key) => (at as Record<string, unknown>)?.[key],
        JSON.parse(text),
      );
    expect(found, path).toBeDefined();
  }
});

it("names what is in the path as the resource does, and leaves it out of query and body", () => {
  const { paths } = generate(`
    // Things.
    service ThingService {
      // Renames. Errors: NOT_FOUND.
      rpc Rename(RenameRequest) returns (Answer) {
        option (google.api.http) = { post: "/v1/{name=things/*}:rename" body: "*" };
        ${policy}
      }
    }
    // Renames.
    message RenameRequest {
      // Which.
      string name = 1;
      // The new title.
      string title = 2;
    }`);

  const operation = paths["/v1/things/{thing}:rename"]?.["post"];
  expect(operation?.parameters).toMatchObject([{ name: "thing", in: "path" }]);
  expect(JSON.stringify(operation?.requestBody)).toContain('"title"');
  expect(JSON.stringify(operation?.requestBody)).not.toContain('"name"');
  expect(Object.keys(operation?.responses ?? {})).toContain("404");
});

it("spreads nested messages over the query, and ends where a message holds itself", () => {
  const { paths } = generate(`
    // Things.
    service ThingService {
      // Finds.
      rpc Find(FindRequest) returns (Answer) {
        option (google.api.http) = { get: "/v1/things" };
        ${policy}
      }
    }
    // A filter.
    message Filter {
      // Of this colour.
      string colour = 1;
      // And this one.
      Filter and = 2;
    }
    // Finds.
    message FindRequest {
      // What.
      Filter filter = 1;
      // Pages.
      int32 page_size = 2;
    }`);

  const names = paths["/v1/things"]?.["get"]?.parameters.map(
    ({ name }) => name,
  );
  expect(names).toEqual(["filter.colour", "pageSize"]);
});
