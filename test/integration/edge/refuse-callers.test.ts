import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  allScopes,
  generateKey,
  sign,
  startTestIssuer,
} from "../../support/test-issuer.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { methods, pathFormsOf, type PathForm } from "./path-forms.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld({ issuer: { tenants: ["demo"] } });
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const HOUR = 3_600;
const now = () => Math.floor(Date.now() / 1_000);

/** Tokens that are none, by what is wrong with each. */
const badTokens: Readonly<Record<string, () => Promise<string>>> = {
  "no token": async () => "",
  "what is no token": async () => "Bearer let-me-in",
  "a token of another scheme": async () => `Basic ${world.token}`,
  "a token for another audience": async () => bearer({ aud: "elsewhere" }),
  "a token without an audience": async () => bearer({ aud: undefined }),
  "an expired token": async () => bearer({ exp: now() - 60 }),
  "a token that never expires": async () => bearer({ exp: undefined }),
  "a token that is valid for years": async () =>
    bearer({ exp: now() + 9_000 * HOUR }),
  "a token that is not valid yet": async () => bearer({ nbf: now() + HOUR }),
  "a token of an unknown issuer": async () =>
    bearer({ iss: "https://evil.example" }),
  "a token that somebody else signed": async () =>
    `Bearer ${await sign(await generateKey(), world.issuer.url, {})}`,
  "a token without a signature": async () => `Bearer ${unsigned()}`,
  "a token without a tenant": async () => bearer({ tenant: undefined }),
  "a token without a subject": async () => bearer({ sub: undefined }),
  "a token of a tenant that is not its issuer's": async () =>
    bearer({ tenant: "victim" }),
};

const everyForm = methods.flatMap(pathFormsOf);
const userForms = everyForm.filter(({ method }) => method.access === "USER");
const serviceForms = everyForm.filter(
  ({ method }) => method.access === "SERVICE",
);

const forTokens = everyForm.filter(({ method }) => method.access !== "PUBLIC");

describe.each(forTokens)("$name", (form) => {
  it("refuses every caller without a valid token alike", async () => {
    const answers = await Promise.all(
      Object.entries(badTokens).map(async ([what, token]) => [
        what,
        await ask(form, await token()),
      ]),
    );

    expect(Object.fromEntries(answers)).toEqual(
      Object.fromEntries(
        Object.keys(badTokens).map((what) => [
          what,
          {
            status: form.statusOf(401),
            code: "Unauthenticated",
            message: "a valid token is required",
            info: {
              reason: "UNAUTHENTICATED",
              domain: "weft.dev",
              metadata: {},
            },
          },
        ]),
      ),
    );
  });
});

describe.each(userForms)("$name", (form) => {
  it("refuses a token that lacks its scope, and names the scope", async () => {
    const [scope = ""] = form.method.scopes;
    const others = allScopes.filter((each) => each !== scope).join(" ");

    const answer = await ask(form, await bearer({ scope: others }));

    expect(answer).toEqual({
      status: form.statusOf(403),
      code: "PermissionDenied",
      message: `the token lacks the scope ${scope}`,
      info: {
        reason: "SCOPE_MISSING",
        domain: "weft.dev",
        metadata: { scope },
      },
    });
  });
});

describe.each(serviceForms)("$name", (form) => {
  it("is not there for any user", async () => {
    const answer = await ask(form, await bearer({}));

    expect(answer).toMatchObject({
      status: form.statusOf(404),
      code: "Unimplemented",
    });
  });
});

it("walked both forms of every method that has two", () => {
  expect(methods.length).toBeGreaterThan(15);
  expect(userForms.length).toBeGreaterThan(30);
  expect(serviceForms.length).toBeGreaterThan(10);
});

it.each([
  "/",
  "/v1",
  "/v1/nothing",
  "/weft.order.v1.OrderService/Nothing",
  "/weft.nothing.v1.NothingService/Get",
])("asks for a token at %s, which no contract has", async (path) => {
  const answer = await send(world, { path, headers: { authorization: "" } });

  expect(answer.status).toBe(401);
});

it.each(["https://shop.example", "http://localhost:5173"])(
  "lets no preflight from %s through to a service without a token",
  async (origin) => {
    const answer = await send(world, {
      method: "OPTIONS",
      path: "/weft.order.v1.OrderService/ListOrders",
      headers: {
        authorization: "",
        origin,
        "access-control-request-method": "POST",
        "content-type": "application/grpc",
        te: "trailers",
      },
      body: Buffer.alloc(5),
    });

    expect(answer.headers["grpc-status"]).toBe("16");
    const id = String(answer.headers["x-request-id"]);
    const line = async () =>
      (await world.log()).split("\n").find((text) => text.includes(id)) ?? "";
    await expect.poll(line).toContain('"details":"jwt_authn_access_denied');
  },
);

const INVALID = 'Bearer realm="weft", error="invalid_token"';

describe.each([1, 2] as const)("a 401 over HTTP/%s", (version) => {
  it.each(Object.entries(badTokens))(
    "tells how to ask when %s was sent, and no more",
    async (what, token) => {
      const headers = { authorization: await token() };
      const secret = "access_token=SECRET&a=%22";
      const connectCall = {
        method: "POST",
        body: "{}",
        path: `/weft.order.v1.OrderService/ListOrders?${secret}`,
        headers: { ...headers, "content-type": "application/json" },
        version,
      };

      const answers = await Promise.all([
        send(world, { path: `/v1/orders?${secret}`, headers, version }),
        send(world, connectCall),
      ]);

      const none = what === "no token" || what.includes("another scheme");
      for (const answer of answers) {
        expect(answer.status).toBe(401);
        expect(answer.headers["www-authenticate"]).toBe(
          none ? 'Bearer realm="weft"' : INVALID,
        );
      }
    },
  );
});

it("answers a bad token of another case, on a method that needs none too, with the same challenge", async () => {
  const answer = await send(world, {
    method: "POST",
    path: "/v1/webhooks/payment-provider",
    headers: { authorization: "bearer let-me-in" },
    body: "{}",
  });

  expect(answer.status).toBe(401);
  expect(answer.headers["www-authenticate"]).toBe(INVALID);
});

it("takes no token from the URL", async () => {
  const answer = await send(world, {
    path: `/v1/orders?access_token=${world.token}`,
    headers: { authorization: "" },
  });

  expect(answer.status).toBe(401);
});

it("does not let an issuer speak for another issuer", async () => {
  await using other = await startTestIssuer();
  await using two = await startEdgeWorld({
    issuers: [
      {
        name: "other",
        issuer: other.url,
        jwksUrl: other.jwksUrl,
        audiences: ["weft"],
        tenants: ["globex"],
      },
    ],
  });
  const call = async (token: string) => {
    const { status } = await send(two, {
      path: "/v1/orders",
      headers: { authorization: `Bearer ${token}` },
    });
    return status;
  };

  expect(await call(await other.token({ tenant: "globex" }))).toBe(200);
  expect(await call(await other.token({ tenant: "demo" }))).toBe(401);
  expect(
    await call(await other.token({ iss: two.issuer.url, tenant: "demo" })),
  ).toBe(401);
});

async function ask(form: PathForm, authorization: string) {
  const answer = await send(world, {
    ...form.request,
    headers: { ...form.request.headers, authorization },
  });
  return { status: answer.status, ...form.read(answer) };
}

async function bearer(claims: Parameters<EdgeWorld["issuer"]["token"]>[0]) {
  return `Bearer ${await world.issuer.token(claims)}`;
}

/** The "none" algorithm of RFC 7519. */
function unsigned(): string {
  const encode = (value: object) =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: world.issuer.url, aud: "weft", exp: now() + HOUR };
  return `${encode({ alg: "none" })}.${encode({ ...claims, sub: "demo", tenant: "demo" })}.`;
}
