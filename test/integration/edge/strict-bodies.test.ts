import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { methods, somePath } from "./path-forms.ts";
import { send, type EdgeAnswer } from "../../support/edge-http.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const line = '{"sku":"tea","quantity":1}';
const order = (more = "") => `{"lines":[${line}],"paymentToken":"tok"${more}}`;
/** An order with a map of these keys, as JSON spells them. */
const withKeys = (...keys: string[]) =>
  order(
    `,"failure":{"metadata":{${keys.map((key) => `"${key}":"x"`).join()}}}`,
  );

describe("a body with fields that its message does not have", () => {
  it.each([
    ["at the top", order(',"colour":"red"'), ["colour"]],
    [
      "deep inside",
      `{"lines":[${line},{"sku":"tea","qty":1}],"expectedTotal":{"cents":1}}`,
      ["lines[1].qty", "expectedTotal.cents"],
    ],
    ["of the request, not of the body", order(',"wait":true'), ["wait"]],
    ["under an escaped name", order(',"\\u0063olour":1'), ["colour"]],
    ["with an empty name", order(',"":1'), [""]],
    ["that hold everything", order(',"a":{"b":[{"c":null}]}'), ["a"]],
  ])("is refused: %s", async (_, body, fields) => {
    const before = world.upstream().calls.length;

    const answer = await post(body);

    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual({
      code: 3,
      message: `unknown fields: ${fields.join(", ")}`,
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "MALFORMED_REQUEST",
          domain: "weft.dev",
        },
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: fields.map((field) => ({
            field,
            description: "there is no such field",
          })),
        },
      ],
    });
    expect(world.upstream().calls.length).toBe(before);
  });
});

const bindings = methods
  .flatMap(({ rest }) => rest)
  .filter(({ body }) => body !== undefined);
const ofFields = bindings.filter(({ bodyType }) => bodyType !== undefined);

it.each(ofFields)(
  "refuses a field that there is not at $verb $pattern",
  async ({ verb, pattern }) => {
    const answer = await send(world, {
      method: verb,
      path: somePath(pattern),
      headers: { "content-type": "application/json" },
      body: '{"no_such_field":1}',
    });

    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({
      message: "unknown fields: no_such_field",
      details: [
        { reason: "MALFORMED_REQUEST" },
        { fieldViolations: [{ field: "no_such_field" }] },
      ],
    });
  },
);

it("knows the fields of every body but of the one that it does not read", () => {
  const others = bindings.filter(({ bodyType }) => bodyType === undefined);

  expect(ofFields.length).toBeGreaterThan(15);
  expect(others.map(({ pattern }) => pattern)).toEqual([
    "/v1/webhooks/payment-provider",
  ]);
});

it.each([
  ["JSON names", order(',"expectedTotal":{"currencyCode":"EUR","units":"1"}')],
  ["proto names", `{"lines":[${line}],"payment_token":"tok"}`],
  ["an escaped name", `{"lines":[${line}],"\\u0070aymentToken":"tok"}`],
  ["space of every kind", ` \r\n\t{ "lines" : [ ${line} ] }\n`],
  [
    "a timestamp, which is a text",
    order(',"createTime":"2026-01-01T00:00:00Z"'),
  ],
  ["null for a field", order(',"expectedTotal":null')],
  [
    "text with escapes",
    `{"paymentToken":"\\"\\\\\\/\\b\\u00e4\\ud83d\\ude00"}`,
  ],
  ["keys that differ in escapes", withKeys("\\u00e4", "\\u00f6", "\\u20ac")],
  [
    "keys that differ in half of a surrogate pair",
    withKeys("\\ud83d\\ude00", "\\ud83d\\ude01"),
  ],
  [
    "a key that looks like an escape of another",
    withKeys("\\u00e4", "\\\\u00e4", "\\u005cu00e4x"),
  ],
  ["numbers of every form", `{"lines":[{"quantity":1.0e0},{"quantity":0}]}`],
  ["an empty object", "{}"],
  ["nothing", ""],
])("takes a body with %s", async (_, body) => {
  const answer = await post(body);

  // What comes after the guard may still find a required field missing.
  expect(answer.text).toMatch(/"name":"orders\/|"reason":"INVALID_FIELD"/);
  expect(answer.text).not.toContain("MALFORMED_REQUEST");
});

it.each([
  ["single quotes", "{'lines':[]}"],
  ["names without quotes", "{lines:[]}"],
  ["a trailing comma in an object", '{"lines":[],}'],
  ["a trailing comma in a list", `{"lines":[${line},]}`],
  ["a comment", '{"lines":[]/**/}'],
  ["a field twice", '{"lines":[],"lines":[]}'],
  [
    "a field under both of its names",
    '{"paymentToken":"a","payment_token":"b"}',
  ],
  ["a key twice", withKeys("a", "a")],
  ["a key raw and escaped", withKeys("ä€", "\\u00e4\\u20ac")],
  ["a key raw and as a surrogate pair", withKeys("😀", "\\uD83D\\ude00")],
  ["a key in two spellings of an escape", withKeys("\\u00E4", "\\u00e4")],
  ["a key with two spellings of a backslash", withKeys("\\\\n", "\\u005Cn")],
  ["something after the value", '{"lines":[]}{}'],
  ["a number with a leading zero", '{"lines":[{"quantity":01}]}'],
  ["a number that is none", '{"lines":[{"quantity":NaN}]}'],
  ["a raw line break in a text", '{"paymentToken":"a\nb"}'],
  ["an unknown escape", '{"paymentToken":"\\x41"}'],
  ["a text that does not end", '{"paymentToken":"a'],
  ["a list that does not end", '{"lines":['],
  ["nested lists without end", `{"lines":${"[".repeat(100_000)}`],
])("refuses %s, which is no JSON", async (_, body) => {
  const answer = await post(body);

  expect(answer.status).toBe(400);
  expect(answer.json()).toMatchObject({
    code: 3,
    message: expect.stringMatching(
      /^malformed request: .*, at octet \d+ of the body$/,
    ),
    details: [{ reason: "MALFORMED_REQUEST" }],
  });
});

it.each(["text/xml", "text/plain", "application/x-www-form-urlencoded", ""])(
  "takes no JSON that calls itself '%s'",
  async (type) => {
    const answer = await post(order(), type);

    expect(answer.status).toBe(415);
    expect(answer.json()).toMatchObject({
      details: [{ reason: "UNSUPPORTED_MEDIA_TYPE" }],
    });
  },
);

it("takes JSON whose type has parameters", async () => {
  const answer = await post(order(), "application/json; charset=utf-8");

  expect(answer.status).toBe(200);
});

function post(body: string, type = "application/json"): Promise<EdgeAnswer> {
  return send(world, {
    method: "POST",
    path: "/v1/orders",
    headers: type === "" ? {} : { "content-type": type },
    body,
  });
}
