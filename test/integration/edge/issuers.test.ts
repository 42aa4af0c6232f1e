import fc from "fast-check";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
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

/** The configuration of the README's example, and what that product really issues for it. */
interface Product {
  readonly name: string;
  readonly config: IssuerInput;
  /** A whole access token, but for its times. */
  readonly token: Claims;
  readonly expected: { sub: string; tenant: string; scope: string };
  /** What it issues that is no access token for us, by what it is. */
  readonly foreign: Readonly<Record<string, Claims>>;
}

/** The claims that a test issuer adds by itself. */
const none = { sub: undefined, scope: undefined, tenant: undefined };

// https://www.keycloak.org/docs/latest/server_admin/#mapping-organization-claims
const keycloakToken: Claims = {
  ...none,
  jti: "onrtac:5d4c2a68-52a2-4d9a-8a43-0b0fbf1f6a55",
  iss: "https://login.example.com/realms/shop",
  aud: ["weft", "account"],
  sub: "e3b7a6c1-2f4d-4c58-9d0e-6a7b8c9d0e1f",
  typ: "Bearer",
  azp: "shop-web",
  sid: "8b1f7c44-9f30-4a39-8f0e-2d6a5b1c3e77",
  acr: "1",
  "allowed-origins": ["https://shop.example.com"],
  realm_access: {
    roles: ["default-roles-shop", "offline_access", "uma_authorization"],
  },
  resource_access: {
    weft: { roles: ["shop-owner"] },
    account: { roles: ["manage-account", "view-profile"] },
  },
  scope: "openid email organization profile",
  email_verified: true,
  organization: ["acme"],
  name: "Ada Lovelace",
  preferred_username: "ada",
  given_name: "Ada",
  family_name: "Lovelace",
  email: "ada@acme.example",
};

const ownerAtKeycloak =
  "email inventory:write openid orders:read orders:write organization profile";

// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
const entraToken: Claims = {
  ...none,
  aud: "6e74172b-be56-4843-9ff4-e66a39bb12e3",
  iss: "https://login.microsoftonline.com/8f4e12ab-7d5c-4f0e-9a1b-3c2d1e0f9a8b/v2.0",
  aio: "AXQAi/8IAAAAtAaZLo3ChMif6KOnttRB7eBq4/DccQzjcJGxPYy",
  azp: "1f0c3a52-68de-4b7c-a1d4-9e8f7a6b5c4d",
  azpacr: "0",
  name: "Ada Lovelace",
  oid: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
  preferred_username: "ada@acme.example",
  rh: "0.AXEAq6hOj1x9Dk-aGzwtHg-aiysXdG5WvkNIn_TmajnbEuM.",
  roles: ["inventory:write"],
  scp: "orders:read orders:write",
  sub: "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
  tid: "8f4e12ab-7d5c-4f0e-9a1b-3c2d1e0f9a8b",
  uti: "fqiBqXLPj0eQa82S-IYFAA",
  ver: "2.0",
};

// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
const cognitoToken: Claims = {
  ...none,
  sub: "5f1e3a0c-1d2b-4c3d-8e4f-5a6b7c8d9e0f",
  "cognito:groups": ["staff"],
  iss: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc",
  version: 2,
  client_id: "1example23456789",
  origin_jti: "0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f",
  event_id: "7b1c2d3e-4f5a-4b6c-8d7e-9f0a1b2c3d4e",
  token_use: "access",
  scope: "openid weft/orders:read weft/orders:write",
  auth_time: 1_700_000_000,
  jti: "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
  username: "ada",
  aud: undefined,
};

const products: readonly Product[] = [
  {
    name: "keycloak",
    config: shown("keycloak"),
    token: keycloakToken,
    expected: {
      sub: "e3b7a6c1-2f4d-4c58-9d0e-6a7b8c9d0e1f",
      tenant: "acme",
      scope: ownerAtKeycloak,
    },
    foreign: {
      "a token for its own account console": { aud: "account" },
      "an ID token of a client that is called like our audience": {
        aud: "weft",
        typ: "ID",
      },
      "a token of somebody in two organizations": {
        organization: ["acme", "globex"],
      },
      "a token of somebody in no organization": { organization: [] },
      "an organization in another form than was said": {
        organization: { acme: { id: "42" } },
      },
    },
  },
  {
    name: "keycloak-ids",
    config: {
      ...shown("keycloak"),
      name: "keycloak-ids",
      issuer: "https://login.example.com/realms/ids",
      claims: { tenant: ["organization", "*", "id"] },
    },
    token: {
      ...keycloakToken,
      iss: "https://login.example.com/realms/ids",
      organization: { acme: { id: "a3c5e7f9-1b2d-4e6f-8a0c-2d4e6f8a0c1e" } },
      scope: "openid orders:read organization",
    },
    expected: {
      sub: "e3b7a6c1-2f4d-4c58-9d0e-6a7b8c9d0e1f",
      tenant: "a3c5e7f9-1b2d-4e6f-8a0c-2d4e6f8a0c1e",
      scope: "openid orders:read organization",
    },
    foreign: {
      "a token of somebody in two organizations": {
        organization: { acme: { id: "1" }, globex: { id: "2" } },
      },
      "a token of somebody in no organization": { organization: {} },
      "an organization without its id": { organization: { acme: {} } },
      "an organization in another form than was said": {
        organization: ["acme"],
      },
    },
  },
  {
    name: "entra",
    config: shown("entra"),
    token: entraToken,
    expected: {
      sub: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
      tenant: "8f4e12ab-7d5c-4f0e-9a1b-3c2d1e0f9a8b",
      scope: "inventory:write orders:read orders:write",
    },
    foreign: {
      "a token for Microsoft Graph": {
        aud: "00000003-0000-0000-c000-000000000000",
      },
      "a token of version 1.0": {
        aud: "api://6e74172b-be56-4843-9ff4-e66a39bb12e3",
        iss: "https://sts.windows.net/8f4e12ab-7d5c-4f0e-9a1b-3c2d1e0f9a8b/",
        appid: "1f0c3a52-68de-4b7c-a1d4-9e8f7a6b5c4d",
        azp: undefined,
        ver: "1.0",
      },
      "an ID token, which has roles, too": {
        azp: undefined,
        azpacr: undefined,
        scp: undefined,
      },
    },
  },
  {
    name: "cognito",
    config: shown("cognito"),
    token: cognitoToken,
    expected: {
      sub: "5f1e3a0c-1d2b-4c3d-8e4f-5a6b7c8d9e0f",
      tenant: "acme",
      scope: "inventory:write orders:read orders:write",
    },
    foreign: {
      "an ID token": {
        token_use: "id",
        aud: "1example23456789",
        client_id: undefined,
      },
      "a token of another client": { client_id: "2example23456789" },
      "a token of a client that has ours in its name": {
        client_id: "zzz 1example23456789",
      },
      "a token whose use has ours in its name": { token_use: "id access" },
    },
  },
];

/** Of the README's example; its keys come from the test's own issuer. */
function shown(name: string): IssuerInput {
  const readme = readFileSync(
    new URL("../../../README.md", import.meta.url),
    "utf8",
  );
  const [, example = ""] =
    /^```yaml\n(issuers:[\s\S]*?)^```$/m.exec(readme) ?? [];
  // The unit tests of issuers read it by their schema.
  const { issuers } = parse(example) as { issuers: IssuerInput[] };
  const found = issuers.find((issuer) => issuer.name === name);
  if (found === undefined) throw new Error(`the README shows no ${name}`);
  return found;
}

describe("an edge with the issuers that the README shows", () => {
  const issuers = new Map<string, TestIssuer>();
  let world: EdgeWorld;
  beforeAll(async () => {
    for (const { name } of products) issuers.set(name, await startTestIssuer());
    world = await startEdgeWorld({
      issuers: products.map(({ name, config }) => ({
        ...config,
        jwksUrl: issuerOf(name).jwksUrl,
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
    "reads the claims of a token of $name",
    async ({ name, token, expected }) => {
      const status = await call(world, await issuerOf(name).token(token));

      expect(status).toBe(200);
      expect(claimsSeen(world)).toEqual(expected);
    },
  );

  it.each(
    products.flatMap(({ name, token, foreign }) =>
      Object.entries(foreign).map(([what, claims]) => ({
        name,
        what,
        claims: { ...token, ...claims },
      })),
    ),
  )("refuses what $name issues as $what", async ({ name, claims }) => {
    const issued = await issuerOf(name).token(claims);

    expect(await call(world, issued)).toBe(401);
  });

  it.each(products)(
    "tells a caller of $name of a wrong path as such",
    async ({ name, token }) => {
      const issued = await issuerOf(name).token(token);

      expect(await call(world, issued, "/v1/nothing-of-that-name")).toBe(404);
    },
  );

  it("reads the roles of a program at Entra, which has no scopes", async () => {
    const token = await issuerOf("entra").token({
      ...entraToken,
      azpacr: "1",
      idtyp: "app",
      name: undefined,
      preferred_username: undefined,
      roles: ["orders:read"],
      scp: undefined,
    });

    expect(await call(world, token)).toBe(200);
    expect(claimsSeen(world)).toMatchObject({ scope: "orders:read" });
  });

  it("takes a text of roles for one role, whatever words are in it", async () => {
    const roles = (text: string) =>
      issuerOf("keycloak").token({
        ...keycloakToken,
        resource_access: { weft: { roles: text } },
      });

    expect(await call(world, await roles("shop-owner"))).toBe(200);
    expect(await call(world, await roles("no shop-owner"))).toBe(403);
  });

  it("forwards text that JSON has to escape as it is", async () => {
    const sub = 'ada "\\/<ä€😀>';

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
      sub: 'a/b\\u0041 "\\" ä€😀',
      other: [
        "\b\f\n\r\t",
        null,
        true,
        false,
        -1.5e300,
        0,
        [],
        {},
        [[{ "": "}]" }]],
        '"]',
      ],
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

describe("an edge that demands claims", () => {
  let world: EdgeWorld;
  beforeAll(async () => {
    world = await startEdgeWorld({
      issuer: { demand: { scope: ["weft"], amr: ["mfa", "hwk"] } },
    });
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  const scope = "orders:read weft";

  it.each<[string, Claims]>([
    ["a scope among others", { scope, amr: "mfa" }],
    ["a text of a list", { scope, amr: ["pwd", "hwk"] }],
    ["a scope of a list", { scope: ["orders:read", "weft"], amr: "mfa" }],
  ])("takes a token that says it as %s", async (_what, claims) => {
    expect(await call(world, await world.issuer.token(claims))).toBe(200);
  });

  it.each<[string, Claims]>([
    ["a part of a scope", { scope: "orders:read weft:x", amr: "mfa" }],
    ["a word of another text", { scope, amr: "no mfa" }],
    ["a word of a listed text", { scope, amr: ["no mfa"] }],
    ["nothing", { scope, amr: undefined }],
  ])("refuses a token that says it as %s", async (_what, claims) => {
    expect(await call(world, await world.issuer.token(claims))).toBe(401);
  });
});

describe("an edge that takes claims for an identity", () => {
  let world: EdgeWorld;
  beforeAll(async () => {
    world = await startEdgeWorld({ issuer: { claims: { plan: "plan" } } });
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  it.each(
    ["sub", "tenant", "plan"].flatMap((claim) =>
      [0x00, 0x09, 0x0a, 0x1f, 0x7f, 0x80, 0x9f].map((code) => ({
        claim,
        character: String.fromCharCode(code),
        code: code.toString(16),
      })),
    ),
  )("refuses a $claim with the control character U+$code", async (refused) => {
    const { claim, character } = refused;
    const text = (middle: string) => ({ [claim]: `a${middle}b` });
    const good = await world.issuer.token(text("\u00a0é"));
    const bad = await world.issuer.token(text(character));

    expect(await call(world, good)).toBe(200);
    expect(await call(world, bad)).toBe(401);
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
