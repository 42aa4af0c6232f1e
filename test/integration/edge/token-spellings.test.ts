import { afterAll, beforeAll, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";

/** The characters of base64url (RFC 4648), by what they stand for. */
const ALPHABET =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Calls at a time. */
const AT_ONCE = 20;

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

it("takes no token with another character anywhere in what is signed, nor one more or less there", async () => {
  const [header = "", payload = "", signature = ""] = world.token.split(".");
  const changed = [
    ...spellings(header).map((other) => `${other}.${payload}.${signature}`),
    ...spellings(payload).map((other) => `${header}.${other}.${signature}`),
  ];

  expect(changed.length).toBeGreaterThan(200);
  expect(await taken(changed)).toEqual([]);
}, 60_000);

it("takes no token with another octet in its signature", async () => {
  const signed = world.token.slice(0, world.token.lastIndexOf("."));
  const signature = Buffer.from(world.token.split(".")[2] ?? "", "base64url");
  const changed = Array.from(signature, (octet, at) => {
    const other = Buffer.from(signature);
    other[at] = octet ^ 1;
    return `${signed}.${other.toString("base64url")}`;
  });

  expect(changed).toHaveLength(64);
  expect(await taken(changed)).toEqual([]);
}, 60_000);

/*
 * Envoy reads what is behind the 64th octet of an ES256 signature, and the spare bits of its last character, and does not look
 * at them. Whoever can write such a token holds the token, and it says the same: header, payload and signature are octet by
 * octet those that were signed. So it is no way in. Nothing of the mesh knows a token by its text.
 */
it("takes the same signature in other words, and believes nothing else of it", async () => {
  const last = ALPHABET.indexOf(world.token.at(-1) ?? "");
  const spare = ALPHABET[last ^ 1] ?? "";
  const others = [
    `${world.token.slice(0, -1)}${spare}`,
    `${world.token}A`,
    `${world.token}==`,
  ];

  expect(await taken(others)).toEqual(others);
  const claims = world
    .upstream()
    .calls.slice(-others.length)
    .map((call) => call.get("x-weft-claims"));
  expect(new Set(claims).size).toBe(1);
  expect(await taken([`${world.token}AA`, `${world.token}AAAA`])).toEqual([]);
}, 60_000);

it.each(["bearer", "BEARER", "bEARER"])(
  "knows the scheme as %s, and passes on what it passes on of any token",
  async (scheme) => {
    const calls = async (authorization: string) => {
      const headers = { authorization };
      const answers = await Promise.all([
        send(world, { path: "/v1/orders", headers }),
        send(world, { path: "/v1/orders", headers, version: 1 }),
        send(world, {
          ...connectCall,
          headers: { ...connectCall.headers, ...headers },
        }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      return world.upstream().calls.slice(-answers.length).map(said);
    };

    const usual = await calls(`Bearer ${world.token}`);
    const other = await calls(`${scheme} ${world.token}`);

    expect(new Set(other)).toEqual(new Set(usual));
    expect(other.join()).not.toContain(world.token);
  },
);

it.each(["bearers", "bear", "basic", "bearer\t"])(
  "takes no token of the scheme %j",
  async (scheme) => {
    const { status } = await send(world, {
      path: "/v1/orders",
      headers: { authorization: `${scheme} ${world.token}` },
    });

    expect(status).toBe(401);
  },
);

it.each(["Bearer", "bearer"])(
  "passes no token of the scheme %s on to a method that needs none",
  async (scheme) => {
    const given = new AbortController();
    const arrived = world.payments.nextCall();
    const answer = send(world, {
      method: "POST",
      path: "/v1/webhooks/payment-provider",
      headers: { authorization: `${scheme} ${world.token}` },
      body: "{}",
      signal: given.signal,
    });

    const headers = await arrived;

    expect(headers["x-weft-claims"]).toBeDefined();
    expect(JSON.stringify(headers)).not.toContain(world.token);
    given.abort();
    await expect(answer).rejects.toThrow("aborted");
  },
);

const connectCall = {
  method: "POST",
  path: "/weft.order.v1.OrderService/ListOrders",
  headers: { "content-type": "application/json" },
  body: "{}",
};

/** All that a service is told, but what is another each time. */
function said(headers: Headers): string {
  return JSON.stringify(
    [...headers].filter(
      ([name]) => !/^(x-request-id|traceparent|date)$/.test(name),
    ),
  );
}

/** Those of the tokens that the edge lets through. */
async function taken(tokens: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (let at = 0; at < tokens.length; at += AT_ONCE) {
    const some = tokens.slice(at, at + AT_ONCE);
    const statuses = await Promise.all(some.map(ask));
    found.push(...some.filter((_, index) => statuses[index] !== 401));
  }
  return found;
}

async function ask(token: string): Promise<number> {
  const { status } = await send(world, {
    path: "/v1/orders",
    headers: { authorization: `Bearer ${token}` },
  });
  return status;
}

/** The text with its next character at each place, without each, and with one more behind it. */
function spellings(text: string): string[] {
  const places = Array.from(text, (_, at) => at);
  const next = (at: number) =>
    ALPHABET[(ALPHABET.indexOf(text[at] ?? "") + 1) % ALPHABET.length];
  return [
    ...places.map((at) => text.slice(0, at) + next(at) + text.slice(at + 1)),
    ...places.map((at) => text.slice(0, at) + text.slice(at + 1)),
    ...Array.from(ALPHABET, (one) => text + one),
  ];
}
