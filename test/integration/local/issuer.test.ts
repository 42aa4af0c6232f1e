import { expect, it } from "vitest";
import { rotateSigningKeys } from "../../../deploy/local/issuer/signing-keys.ts";
import { eventually } from "../../support/eventually.ts";
import { startIssuerWorld } from "./issuer-world.ts";

it("gives a demo user a token of its tenant, with all its scopes or those asked for", async () => {
  await using world = await startIssuerWorld();

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
  await using world = await startIssuerWorld();

  const claims = await world.verified({ scope: "orders:read" });

  expect(claims).toMatchObject({
    sub: "weft-demo",
    tenant: "demo",
    scope: "orders:read",
  });
});

it("refuses a user it does not know, and a scope that a user may not have", async () => {
  await using world = await startIssuerWorld();

  const stranger = world.token({ user: "mallory" });
  const greedy = world.token({ user: "auditor", scope: "orders:write" });

  await expect(stranger).rejects.toThrow("the issuer refuses");
  await expect(greedy).rejects.toThrow("the issuer refuses");
});

it("signs with the key that it has published before, after a rotation, and with the same after a restart", async () => {
  await using world = await startIssuerWorld();
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
