import { CompactSign, exportJWK, generateKeyPair } from "jose";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { readRouteTable } from "../../deploy/edge/route-table.ts";

/** An identity provider of somebody else: it publishes keys, and signs what a test wants. */
export interface TestIssuer extends AsyncDisposable {
  /** The `iss` of its tokens. */
  readonly url: string;
  readonly jwksUrl: string;
  /** Signs a token as a caller of the demo tenant with every scope, but for what is given; `undefined` leaves a claim out. */
  readonly token: (claims?: Claims) => Promise<string>;
  /** The same, its JSON written by `write`. */
  readonly tokenWrittenBy: (
    write: (claims: Claims) => string,
    claims?: Claims,
  ) => Promise<string>;
  /** Publishes another key beside the old one, and signs with it from now on. */
  readonly rotate: () => Promise<void>;
  /** Publishes another key in place of all others, as after one was stolen. */
  readonly withdraw: () => Promise<void>;
  /** Answers nobody until `start`. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** How often its keys were fetched. */
  readonly fetches: () => number;
}

/** What a token says; `undefined` leaves a claim out. */
export type Claims = Readonly<Record<string, unknown>>;

export const AUDIENCE = "weft";

const routes = readRouteTable(
  new URL("../../gen/edge/routes.json", import.meta.url),
);

/** Every scope that a method of the contracts asks for. */
export const allScopes = [
  ...new Set(
    routes.services.flatMap(({ methods }) =>
      methods.flatMap(({ scopes }) => scopes),
    ),
  ),
].sort();

export async function startTestIssuer(): Promise<TestIssuer> {
  let keys = [await generateKey()];
  let fetches = 0;
  const server = createServer((_request, response) => {
    fetches += 1;
    const published = { keys: keys.map(({ publicJwk }) => publicJwk) };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(published));
  });
  const port = await listen(server, 0);
  const url = `http://127.0.0.1:${port}`;
  const tokenWrittenBy: TestIssuer["tokenWrittenBy"] = async (
    write,
    claims = {},
  ) => {
    const [key] = keys;
    if (key === undefined) throw new Error("there is no key");
    return sign(key, url, claims, write);
  };
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    if (server.listening) await once(server, "close");
  };
  return {
    url,
    jwksUrl: `${url}/jwks`,
    token: (claims) => tokenWrittenBy(JSON.stringify, claims),
    tokenWrittenBy,
    async rotate() {
      keys = [await generateKey(), ...keys];
    },
    async withdraw() {
      keys = [await generateKey()];
    },
    stop,
    start: async () => void (await listen(server, port)),
    fetches: () => fetches,
    [Symbol.asyncDispose]: stop,
  };
}

/** Signs with a key that may be anybody's. */
export async function sign(
  key: Pick<SigningKey, "privateKey" | "kid">,
  issuer: string,
  claims: Claims,
  write: (claims: Claims) => string = JSON.stringify,
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const payload = {
    iss: issuer,
    aud: AUDIENCE,
    sub: "demo",
    iat: now,
    exp: now + 3_600,
    tenant: "demo",
    scope: allScopes.join(" "),
    ...claims,
  };
  const header = { alg: "ES256", kid: key.kid };
  return new CompactSign(Buffer.from(write(withoutUndefined(payload))))
    .setProtectedHeader(header)
    .sign(key.privateKey);
}

function withoutUndefined(claims: Claims): Claims {
  return Object.fromEntries(
    Object.entries(claims).filter(([, value]) => value !== undefined),
  );
}

export type SigningKey = Awaited<ReturnType<typeof generateKey>>;

export async function generateKey() {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const kid = randomUUID();
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: "ES256" };
  return { kid, privateKey, publicJwk };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on a TCP port has an AddressInfo.
  return (server.address() as AddressInfo).port;
}
