import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { IssuerInput } from "../../../deploy/edge/issuer.ts";
import { eventually } from "../../support/eventually.ts";
import {
  allScopes,
  startTestIssuer,
  type Claims,
  type TestIssuer,
} from "../../support/test-issuer.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";

/** As these products issue access tokens: what is where differs in each. */
interface Product {
  readonly name: string;
  readonly config: Pick<
    IssuerInput,
    "audiences" | "demand" | "claims" | "tenant"
  >;
  readonly token: Claims;
  readonly expected: { sub: string; tenant: string; scope: string };
  /** What it issues that is no access token for us. */
  readonly foreign: Claims;
}

const none = { sub: undefined, scope: undefined, tenant: undefined };

const products: readonly Product[] = [
  {
    name: "keycloak",
    config: {
      audiences: ["weft"],
      claims: {
        tenant: ["organization", "id"],
        roles: [
          ["realm_access", "roles"],
          ["resource_access", "weft", "roles"],
        ],
        grants: { clerk: ["orders:read"], owner: ["orders:write"] },
      },
    },
    token: {
      ...none,
      sub: "f:1:ada",
      aud: ["account", "weft"],
      scope: "openid inventory:read",
      organization: { id: "acme" },
      realm_access: { roles: ["clerk", "uma_authorization"] },
      resource_access: { weft: { roles: ["owner"] } },
    },
    expected: {
      sub: "f:1:ada",
      tenant: "acme",
      scope: "inventory:read openid orders:read orders:write",
    },
    foreign: { aud: "account" },
  },
  {
    name: "entra",
    config: {
      audiences: ["api://weft"],
      claims: { subject: "oid", tenant: "tid", scopes: ["scp", "roles"] },
    },
    token: {
      ...none,
      sub: "pairwise",
      aud: "api://weft",
      oid: "0f3c",
      tid: "8f4e",
      scp: "orders:read",
      roles: ["inventory:write"],
    },
    expected: {
      sub: "0f3c",
      tenant: "8f4e",
      scope: "inventory:write orders:read",
    },
    foreign: { aud: "00000003-0000-0000-c000-000000000000" },
  },
  {
    name: "cognito",
    config: {
      demand: { token_use: ["access"], client_id: ["app-1", "app-2"] },
      claims: {
        scopePrefix: "weft/",
        roles: ["cognito:groups"],
        grants: { staff: ["payments:read"] },
      },
      tenant: "globex",
    },
    token: {
      ...none,
      sub: "5f1e",
      aud: undefined,
      client_id: "app-2",
      token_use: "access",
      scope: "openid weft/orders:read",
      "cognito:groups": ["staff"],
    },
    expected: {
      sub: "5f1e",
      tenant: "globex",
      scope: "orders:read payments:read",
    },
    foreign: { token_use: "id" },
  },
];

describe("an edge with issuers of three products", () => {
  const issuers = new Map<string, TestIssuer>();
  let world: EdgeWorld;
  beforeAll(async () => {
    for (const { name } of products) issuers.set(name, await startTestIssuer());
    world = await startEdgeWorld({
      issuers: products.map(({ name, config }) => ({
        name,
        issuer: issuerOf(name).url,
        jwksUrl: issuerOf(name).jwksUrl,
        ...config,
      })),
    });
  }, 60_000);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    for (const issuer of issuers.values()) await issuer[Symbol.asyncDispose]();
  });
  const issuerOf = (name: string) => {
    const issuer = issuers.get(name);
    if (issuer === undefined) throw new Error(`no issuer ${name}`);
    return issuer;
  };

  it.each(products)(
    "reads the claims of $name",
    async ({ name, token, expected }) => {
      const status = await call(world, await issuerOf(name).token(token));

      expect(status).toBe(200);
      expect(claimsSeen(world)).toEqual(expected);
    },
  );

  it.each(products)(
    "takes no token of $name that was made for something else",
    async ({ name, token, foreign }) => {
      const issued = await issuerOf(name).token({ ...token, ...foreign });

      expect(await call(world, issued)).toBe(401);
    },
  );

  it.each(products)(
    "tells a caller of $name of a wrong path as such",
    async ({ name, token }) => {
      const issued = await issuerOf(name).token(token);

      expect(await call(world, issued, "/v1/nothing-of-that-name")).toBe(404);
    },
  );

  it("forwards text that JSON has to escape as it is", async () => {
    const sub = 'ada "\\\u0007\n<ä€😀>';

    const status = await call(world, await world.issuer.token({ sub }));

    expect(status).toBe(200);
    expect(claimsSeen(world)).toMatchObject({ sub, tenant: "demo" });
  });
});

describe("an edge that reads a token's JSON", () => {
  let world: EdgeWorld;
  beforeAll(async () => {
    world = await startEdgeWorld();
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  it.each([
    [
      "spaces",
      (json: string) => `\r\n${JSON.stringify(JSON.parse(json), null, "\t ")} `,
    ],
    ["escapes for all of a text", escapedWhole],
    ["escaped slashes", (json: string) => json.replaceAll("/", "\\/")],
  ])("reads it with %s", async (_what, rewrite) => {
    const claims = {
      sub: 'a/b\\u0041 "\\" \b\f\n\r\t ä€😀',
      other: [null, true, false, -1.5e300, 0, [], {}, [[{ "": "}]" }]], '"]'],
    };
    const token = await world.issuer.tokenWrittenBy(
      (payload) => rewrite(JSON.stringify(payload)),
      claims,
    );

    expect(await call(world, token)).toBe(200);
    expect(claimsSeen(world)).toEqual({
      sub: claims.sub,
      tenant: "demo",
      scope: allScopes.toSorted().join(" "),
    });
  });

  it("reads what any claims say as JSON.parse does", async () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        text,
        text,
        fc.dictionary(text, fc.jsonValue({ stringUnit: "grapheme" })),
        fc.boolean(),
        async (sub, tenant, more, escaped) => {
          const token = await world.issuer.tokenWrittenBy(
            (payload) => {
              const json = JSON.stringify({ ...more, ...payload });
              return escaped ? escapedWhole(json) : json;
            },
            { sub, tenant, scope: ["orders:read", sub] },
          );

          expect(await call(world, token)).toBe(200);
          expect(claimsSeen(world)).toMatchObject({ sub, tenant });
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("an edge before services that take claims of a certain length", () => {
  let world: EdgeWorld;
  beforeAll(async () => {
    world = await startEdgeWorld();
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  const ask = async (claims: Claims) => {
    const token = await world.issuer.token({ scope: "orders:read", ...claims });
    const headers = { authorization: `Bearer ${token}` };
    return send(world, { path: "/v1/orders", headers });
  };

  it.each([
    ["sub", "x".repeat(255)],
    ["sub", "€".repeat(255)],
    ["sub", `${"😀".repeat(127)}x`],
    ["tenant", "x".repeat(63)],
    ["tenant", `${"😀".repeat(31)}ä`],
    ["scope", `orders:read ${"x".repeat(4_096 - 12)}`],
    ["scope", `orders:read ${"ä".repeat(4_096 - 12)}`],
  ])(
    "takes the longest %s, and refuses a longer one by itself",
    async (claim, longest) => {
      const taken = await ask({ [claim]: longest });
      const refused = await ask({ [claim]: `${longest}x` });

      expect(taken.status).toBe(200);
      expect(claimsSeen(world)).toMatchObject({ [claim]: longest });
      expect(refused.status).toBe(401);
      // A service would say that it can't read the claims.
      expect(refused.json()).toMatchObject({
        message: "a valid token is required",
      });
    },
  );
});

/** JSON whose texts are nothing but escapes of UTF-16, where they are not escaped already. */
function escapedWhole(json: string): string {
  return json.replace(/"(?:\\.|[^"\\])*"/gu, (text) =>
    text.replace(/\\u[0-9a-f]{4}|\\.|[^"\\]/g, (one) =>
      one.length > 1
        ? one
        : `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  );
}

it("tells a caller who needs no token what is wrong with the request", async () => {
  await using world = await startEdgeWorld();

  const answer = await send(world, {
    method: "POST",
    path: "/v1/webhooks/payment-provider",
    headers: { authorization: "", "content-type": "application/json" },
    body: Buffer.alloc(5 * 1024 * 1024, " "),
  });

  expect(answer.status).toBe(413);
}, 60_000);

it("knows its issuer's keys before the first request, and keeps them while the issuer is away", async () => {
  await using world = await startEdgeWorld({
    issuer: { keysRefreshSeconds: 1 },
  });
  const token = await world.issuer.token();
  const fetchedAhead = world.issuer.fetches();

  await world.issuer.stop();
  await away(4_000);

  expect(fetchedAhead).toBeGreaterThan(0);
  expect(await call(world, token)).toBe(200);
  expect(await call(world, await world.issuer.token({ sub: "new" }))).toBe(200);
}, 60_000);

it("takes tokens of a new key soon after it was published, and goes on with those of the old one", async () => {
  await using world = await startEdgeWorld({
    issuer: { keysRefreshSeconds: 1 },
  });
  const old = await world.issuer.token();

  await world.issuer.rotate();
  const token = await world.issuer.token();
  await eventually(
    "the new key is known",
    async () => (await call(world, token)) === 200,
  );

  expect(await call(world, old)).toBe(200);
}, 60_000);

it("takes no token of a key that was withdrawn but those it has seen, until they end", async () => {
  await using world = await startEdgeWorld({
    issuer: { keysRefreshSeconds: 1, clockSkewSeconds: 1 },
  });
  const lasting = await world.issuer.token();
  const unseen = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      world.issuer.token({ sub: `unseen-${index}` }),
    ),
  );
  const ends = Math.floor(Date.now() / 1_000) + 10;
  const ending = await world.issuer.token({ exp: ends });
  // Each of Envoy's two threads has seen them then, but for once in 10^9.
  for (let count = 0; count < 30; count += 1)
    for (const seen of [ending, lasting])
      expect(await call(world, seen)).toBe(200);

  await world.issuer.withdraw();

  await eventually(
    "the key is no longer known",
    async () => (await call(world, unseen.pop() ?? "none left")) === 401,
  );
  expect(unseen.length).toBeGreaterThan(0);
  await eventually(
    "the token that was seen has ended",
    async () => (await call(world, ending)) === 401,
  );
  expect(await call(world, lasting)).toBe(200);
}, 60_000);

it("learns of a rotation that happened while the issuer was away", async () => {
  await using world = await startEdgeWorld({
    issuer: { keysRefreshSeconds: 1 },
  });

  await world.issuer.stop();
  await away(2_500);
  await world.issuer.rotate();
  await world.issuer.start();

  const token = await world.issuer.token();
  await eventually(
    "the new key is known",
    async () => (await call(world, token)) === 200,
  );
}, 60_000);

/** Longer than the copies of the keys last: what is waited for is that nothing happens. */
function away(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function call(
  world: EdgeWorld,
  token: string,
  path = "/v1/orders",
): Promise<number> {
  const { status } = await send(world, {
    path,
    headers: { authorization: `Bearer ${token}` },
  });
  return status;
}

function claimsSeen(world: EdgeWorld): unknown {
  const claims = world.upstream().calls.at(-1)?.get("x-weft-claims") ?? "";
  return JSON.parse(Buffer.from(claims, "base64url").toString());
}
