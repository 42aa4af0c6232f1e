import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  methods,
  protocols,
  servePolicies,
  services,
  type PolicyWorld,
} from "./policy-world.ts";

let world: PolicyWorld;
beforeAll(async () => {
  world = await servePolicies();
});
afterAll(() => world[Symbol.asyncDispose]());

const forUsers = methods.filter(({ access }) => access === "USER");
const forServices = methods.filter(({ access }) => access === "SERVICE");
const everyScope = [...new Set(methods.flatMap(({ scopes }) => scopes))];

const acme = { "x-weft-tenant": "acme", "x-weft-subject": "ada" };

it("asks every method of the contracts", () => {
  const told = methods.map(({ path }) => path);

  expect(world.paths.toSorted()).toEqual(told.toSorted());
  expect(forUsers.every(({ scopes }) => scopes.length > 0)).toBe(true);
  expect(forServices.every(({ callers }) => callers.length > 0)).toBe(true);
});

describe.each(protocols)("over %s", (protocol) => {
  it.each(forUsers)("$path asks the edge for a token", async ({ path }) => {
    const outcome = await asEdge(path, {});

    expect(outcome).toEqual(refusal(Code.Unauthenticated, "UNAUTHENTICATED"));
  });

  it.each(forUsers)(
    "$path refuses a token that lacks its scope",
    async ({ path, scopes }) => {
      for (const missing of scopes) {
        const others = everyScope.filter((scope) => scope !== missing);

        const outcome = await asEdge(path, claims(others));

        expect(outcome).toEqual(
          refusal(Code.PermissionDenied, "SCOPE_MISSING"),
        );
      }
    },
  );

  it.each(forServices)(
    "$path refuses the edge, whatever it brings",
    async ({ path }) => {
      for (const headers of [{}, claims(everyScope), acme]) {
        const outcome = await asEdge(path, headers);

        expect(outcome).toEqual(notAllowed);
      }
    },
  );

  it.each(methods)(
    "$path refuses every service that its policy does not name, whatever it brings",
    async ({ path, callers }) => {
      const others = services.filter((peer) => !callers.includes(peer));
      const headers = { ...acme, ...claims(everyScope) };

      for (const peer of others) {
        const outcome = await world.ask(path, { protocol, peer, headers });

        expect(outcome).toEqual(notAllowed);
      }
      expect(others).not.toEqual([]);
    },
  );

  it.each(methods.filter(({ callers }) => callers.length > 0))(
    "$path asks a service for whom it calls",
    async ({ path, callers }) => {
      for (const peer of callers) {
        const headers = claims(everyScope);

        const outcome = await world.ask(path, { protocol, peer, headers });

        expect(outcome).toEqual(
          refusal(Code.Unauthenticated, "UNAUTHENTICATED"),
        );
      }
    },
  );

  it.each(methods)(
    "$path refuses a certificate without a name of the mesh",
    async ({ path }) => {
      const headers = { ...acme, ...claims(everyScope) };

      const outcome = await world.ask(path, {
        protocol,
        peer: "nobody",
        headers,
      });

      expect(outcome).toEqual(refusal(Code.Unauthenticated, "UNAUTHENTICATED"));
    },
  );

  it.each(methods)("$path is reached by whoever may", async (method) => {
    const { path, access, scopes, callers } = method;
    const askers = [
      ...(access === "SERVICE" ? [] : [["edge", claims(scopes)] as const]),
      ...(access === "PUBLIC" ? [["edge", {}] as const] : []),
      ...callers.map((peer) => [peer, acme] as const),
    ];

    for (const [peer, headers] of askers) {
      const outcome = await world.ask(path, { protocol, peer, headers });

      expect(outcome).toMatchObject({ reason: "REACHED", isReached: true });
    }
    expect(askers).not.toEqual([]);
  });

  function asEdge(path: string, headers: Readonly<Record<string, string>>) {
    return world.ask(path, { protocol, peer: "edge", headers });
  }
});

const notAllowed = refusal(Code.PermissionDenied, "CALLER_NOT_ALLOWED");

function refusal(code: Code, reason: string) {
  return { code, reason, isReached: false };
}

function claims(scopes: readonly string[]): { "x-weft-claims": string } {
  const told = { sub: "ada", tenant: "acme", scope: scopes.join(" ") };
  const encoded = Buffer.from(JSON.stringify(told)).toString("base64url");
  return { "x-weft-claims": encoded };
}
