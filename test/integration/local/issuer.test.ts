import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import { readLocalConfig } from "../../../deploy/local/config.ts";
import { TERMINAL_CLIENT_ID } from "../../../deploy/local/issuer/demo-users.ts";
import { requestToken } from "../../../deploy/local/issuer/request-token.ts";
import {
  rotateSigningKeys,
  signingKeysFile,
} from "../../../deploy/local/issuer/signing-keys.ts";
import {
  issuerProcess,
  planIssuer,
} from "../../../deploy/local/mesh-issuer.ts";
import { createSupervisor } from "../../../deploy/local/supervisor.ts";
import { eventually } from "../../support/eventually.ts";
import { runDirectory } from "./setup.ts";

it("gives a demo user a token of its tenant, with all its scopes or those asked for", async () => {
  await using world = await setup();

  const all = await world.verified({ user: "auditor" });
  const some = await world.verified({ user: "demo", scope: "orders:write" });

  expect(all).toMatchObject({ sub: "auditor", tenant: "demo" });
  expect(String(all["scope"]).split(" ").toSorted()).toEqual([
    "inventory:read",
    "orders:read",
    "payments:read",
  ]);
  expect(some).toMatchObject({ roles: ["owner"], scope: "orders:write" });
});

it("gives a program a token by its client credentials", async () => {
  await using world = await setup();

  const claims = await world.verified({ scope: "orders:read" });

  expect(claims).toMatchObject({
    sub: "weft-demo",
    tenant: "demo",
    scope: "orders:read",
  });
});

it("refuses a user it does not know, and a scope that a user may not have", async () => {
  await using world = await setup();

  const stranger = world.token({ user: "mallory" });
  const greedy = world.token({ user: "auditor", scope: "orders:write" });

  await expect(stranger).rejects.toThrow("the issuer refuses");
  await expect(greedy).rejects.toThrow("the issuer refuses");
});

it("begins the device flow for a client without a secret", async () => {
  await using world = await setup();

  const answer = await world.post("/device/auth", {
    client_id: TERMINAL_CLIENT_ID,
    scope: "openid orders:read",
  });

  expect(answer).toMatchObject({
    device_code: expect.stringMatching(/./),
    user_code: expect.stringMatching(/./),
    verification_uri: `${world.url}/device`,
  });
});

it("signs with the key that it has published before, after a rotation, and with the same after a restart", async () => {
  await using world = await setup();
  const before = await world.keys();
  const old = await world.token({ user: "demo" });

  const rotated = await rotateSigningKeys(world.keysFile);
  await eventually("the new key signs", async () => {
    const { token } = await world.token({ user: "demo" });
    return kidOf(token) === rotated.current.kid;
  });
  await world.restart();

  const { token } = await world.token({ user: "demo" });
  expect(before).toContain(rotated.current.kid);
  expect(kidOf(token)).toBe(rotated.current.kid);
  expect(await world.keys()).toContain(kidOf(old.token));
});

function kidOf(token: string): string {
  const [header = ""] = token.split(".");
  const { kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as {
    kid: string;
  };
  return kid;
}

async function setup() {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await runDirectory());
  const certificates = await ensureCertificates(`${directory.path}/tls`, []);
  const issuer = await planIssuer(directory.path, false);
  const supervisor = stack.use(
    createSupervisor({
      directory: directory.path,
      onProgress: () => undefined,
    }),
  );
  const around = { config: readLocalConfig(), certificates };
  await supervisor.start(await issuerProcess(issuer, around));
  const ca = await readFile(certificates.ca);
  const endpoint = {
    tokenEndpoint: issuer.tokenEndpoint,
    ca,
    clientSecret: await readFile(issuer.clientSecretFile, "utf8"),
  };
  const get = (path: string) => send(ca, `${issuer.url}${path}`);
  const jwks = createRemoteJWKSet(new URL(`${issuer.url}/jwks`), {
    [customFetch]: async () =>
      new Response(await get("/jwks"), { status: 200 }),
  });
  const token = (wish: { user?: string; scope?: string }) =>
    requestToken(endpoint, wish);
  const running = stack.move();
  return {
    url: issuer.url,
    keysFile: signingKeysFile(issuer.dataDir),
    token,
    async verified(wish: { user?: string; scope?: string }) {
      const issued = await token(wish);
      const { payload } = await jwtVerify(issued.token, jwks, {
        issuer: issuer.url,
        audience: "weft",
      });
      return payload;
    },
    async keys() {
      const { keys } = JSON.parse(await get("/jwks")) as {
        keys: { kid: string }[];
      };
      return keys.map(({ kid }) => kid);
    },
    post: async (path: string, form: Record<string, string>) =>
      JSON.parse(
        await send(
          ca,
          `${issuer.url}${path}`,
          new URLSearchParams(form).toString(),
        ),
      ) as unknown,
    restart: () => supervisor.restart("issuer"),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function send(ca: Buffer, url: string, form?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: form === undefined ? "GET" : "POST",
        ca,
        agent: false,
        headers: form
          ? { "content-type": "application/x-www-form-urlencoded" }
          : {},
      },
      (response) => void text(response).then(resolve, reject),
    );
    sent.on("error", reject);
    sent.end(form);
  });
}
