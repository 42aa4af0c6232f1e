import { expect, it } from "vitest";
import { runPlugin } from "./run-plugin.ts";

interface MethodParts {
  readonly comment?: string;
  readonly name?: string;
  readonly idempotency?: string;
  readonly http?: string;
  readonly policy?: string;
  readonly ask?: string;
}

const USER =
  'access: ACCESS_USER scopes: "a:read" rate_class: "a-read" timeout: {seconds: 5}';

function method(parts: MethodParts = {}): string {
  const {
    comment = "// Gets.",
    name = "Get",
    idempotency = "NO_SIDE_EFFECTS",
    http = "",
    policy = USER,
    ask = "Ask",
  } = parts;
  return `
  ${comment}
  rpc ${name}(${ask}) returns (Answer) {
    ${idempotency && `option idempotency_level = ${idempotency};`}
    ${http && `option (google.api.http) = {${http}};`}
    ${policy && `option (weft.policy.v1.method) = {${policy}};`}
  }`;
}

function service(...methods: string[]): string {
  return `// Serves.\nservice TestService {${methods.join("")}\n}\n`;
}

it("takes a contract that leaves nothing open", () => {
  const { error, files } = runPlugin(
    service(method({ http: 'get: "/v1/{name=asks/*}"' })),
  );

  expect(error).toBe("");
  expect(Object.keys(files)).toEqual(["routes.json"]);
});

const METHOD = "rpc weft.test.v1.TestService.Get";

it.each([
  {
    what: "no policy",
    parts: { policy: "" },
    fault: `${METHOD} has no (weft.policy.v1.method) policy`,
  },
  {
    what: "an unspecified access",
    parts: { policy: 'rate_class: "a" timeout: {seconds: 5}' },
    fault: `${METHOD} has an access of ACCESS_UNSPECIFIED`,
  },
  {
    what: "no stated idempotency",
    parts: { idempotency: "" },
    fault: `${METHOD} does not state idempotency_level`,
  },
  {
    what: "a user without scopes",
    parts: {
      policy: 'access: ACCESS_USER rate_class: "a" timeout: {seconds: 5}',
    },
    fault: `${METHOD} is ACCESS_USER without scopes`,
  },
  {
    what: "scopes of the public",
    parts: { policy: USER.replace("USER", "PUBLIC") },
    fault: `${METHOD} is ACCESS_PUBLIC with scopes`,
  },
  {
    what: "a service method without callers",
    parts: {
      policy: 'access: ACCESS_SERVICE rate_class: "a" timeout: {seconds: 5}',
    },
    fault: `${METHOD} is ACCESS_SERVICE without callers`,
  },
  {
    what: "scopes of a service method",
    parts: { policy: `${USER.replace("USER", "SERVICE")} callers: "order"` },
    fault: `${METHOD} is ACCESS_SERVICE with scopes`,
  },
  {
    what: "a service method with a path",
    parts: {
      policy:
        'access: ACCESS_SERVICE callers: "order" rate_class: "a" timeout: {seconds: 5}',
      http: 'get: "/v1/asks"',
    },
    fault: `${METHOD} is ACCESS_SERVICE with an HTTP rule, but is never reachable through the edge`,
  },
  {
    what: "no timeout",
    parts: { policy: USER.replace("timeout: {seconds: 5}", "") },
    fault: `${METHOD} has no timeout`,
  },
  {
    what: "a timeout of zero",
    parts: { policy: USER.replace("seconds: 5", "") },
    fault: `${METHOD} has a timeout that is not positive`,
  },
  {
    what: "a negative timeout",
    parts: { policy: USER.replace("5", "-1") },
    fault: `${METHOD} has a timeout that is not positive`,
  },
  {
    what: "no rate class",
    parts: { policy: USER.replace('rate_class: "a-read"', "") },
    fault: `${METHOD} has no rate_class`,
  },
  {
    what: "a malformed rate class",
    parts: { policy: USER.replace("a-read", "A read") },
    fault: `${METHOD} has the malformed rate_class "A read"`,
  },
  {
    what: "an unknown field for the audit log",
    parts: { policy: `${USER} audit_fields: "nome"` },
    fault: `${METHOD} has the audit_fields "nome", which is no string and no map of strings of weft.test.v1.Ask`,
  },
  {
    what: "a path with an unknown field",
    parts: { http: 'get: "/v1/{nome=asks/*}"' },
    fault: `"/v1/{nome=asks/*}" names the field "nome", which weft.test.v1.Ask does not have`,
  },
  {
    what: "a body that is no field",
    parts: { http: 'post: "/v1/asks" body: "ask"' },
    fault: `names the field "ask", which weft.test.v1.Ask does not have`,
  },
  {
    what: "a response body among others",
    parts: { http: 'get: "/v1/asks" response_body: "name"' },
    fault: `has a response_body that is not the only field of weft.test.v1.Answer`,
  },
  {
    what: "a stream of requests by REST",
    parts: { ask: "stream Ask", http: 'post: "/v1/asks" body: "*"' },
    fault: `${METHOD} streams its requests, but has an HTTP rule`,
  },
  {
    what: "a malformed path",
    parts: { http: 'get: "/v1/as ks"' },
    fault: `"/v1/as ks" has the malformed segment "as ks"`,
  },
])("refuses a method with $what", ({ parts, fault }) => {
  const { error, files } = runPlugin(service(method(parts)));

  expect(error).toContain(fault);
  expect(files).toEqual({});
});

it("takes a field of the request for the audit log", () => {
  const policy = `${USER} audit_fields: "name"`;

  expect(runPlugin(service(method({ policy }))).error).toBe("");
});

it.each([
  { what: "the same path", one: 'get: "/v1/asks"', other: 'get: "/v1/asks"' },
  {
    what: "the same path under another name",
    one: 'get: "/v1/{name=asks/*}"',
    other: 'get: "/v1/asks/{name}"',
  },
  {
    what: "a path below a wildcard",
    one: 'get: "/v1/{name=asks/*}"',
    other: 'get: "/v1/asks/latest"',
  },
  {
    what: "a path below a deep wildcard",
    one: 'get: "/v1/{name=**}"',
    other: 'get: "/v1/asks/7/parts"',
  },
  {
    what: "an additional path",
    one: 'get: "/v1/asks"',
    other: 'get: "/v1/others" additional_bindings {get: "/v1/asks"}',
  },
])("refuses a second method of $what", ({ one, other }) => {
  const { error } = runPlugin(
    service(method({ http: one }), method({ name: "Other", http: other })),
  );

  expect(error).toMatch(
    /rpc weft\.test\.v1\.TestService\.Other: GET \S+ answers to paths of GET \S+ of rpc weft\.test\.v1\.TestService\.Get/,
  );
});

it.each([
  {
    what: "another verb",
    one: 'get: "/v1/asks"',
    other: 'post: "/v1/asks" body: "*"',
  },
  {
    what: "a custom verb",
    one: 'get: "/v1/{name=asks/*}"',
    other: 'get: "/v1/{name=asks/*}:audit"',
  },
  {
    what: "a longer path",
    one: 'get: "/v1/{name=asks/*}"',
    other: 'get: "/v1/{name=asks/*/parts}"',
  },
])("takes a second method of $what", ({ one, other }) => {
  const { error } = runPlugin(
    service(method({ http: one }), method({ name: "Other", http: other })),
  );

  expect(error).toBe("");
});

it.each([
  {
    what: "service",
    contract: `service TestService {${method()}\n}`,
    named: "service weft.test.v1.TestService",
  },
  { what: "method", contract: service(method({ comment: "" })), named: METHOD },
  {
    what: "message",
    contract: "message Bare {}",
    named: "message weft.test.v1.Bare",
  },
  {
    what: "field",
    contract: "// Has.\nmessage Has {\n  string bare = 1;\n}",
    named: "field weft.test.v1.Has.bare",
  },
  {
    what: "nested message",
    contract: "// Has.\nmessage Has {\n  message Bare {}\n}",
    named: "message weft.test.v1.Has.Bare",
  },
  {
    what: "enum",
    contract: "enum Bare {\n  // None.\n  BARE_UNSPECIFIED = 0;\n}",
    named: "enum weft.test.v1.Bare",
  },
  {
    what: "value",
    contract: "// Has.\nenum Has {\n  HAS_UNSPECIFIED = 0;\n}",
    named: "enum value weft.test.v1.Has.HAS_UNSPECIFIED",
  },
])("refuses a $what without a comment", ({ contract, named }) => {
  const { error } = runPlugin(contract);

  expect(error).toBe(
    `the contracts are refused:\n  ${named} has no leading comment`,
  );
});

it("names every fault of every method at once", () => {
  const { error } = runPlugin(
    service(
      method({ policy: "", idempotency: "" }),
      method({ name: "Other", policy: "" }),
    ),
  );

  expect(error.split("\n")).toHaveLength(4);
});
