import { expect, it } from "vitest";
import { z } from "zod";
import { TERMINAL_CLIENT_ID } from "../../../deploy/local/issuer/demo-users.ts";
import { eventually } from "../../support/eventually.ts";
import { startEdgeWorld } from "../edge/edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { openBrowser } from "./browser.ts";
import { startIssuerWorld } from "./issuer-world.ts";

const begun = z.object({
  device_code: z.string().min(1),
  user_code: z.string().regex(/^[A-Z]{4}-[A-Z]{4}$/),
  verification_uri: z.string(),
  verification_uri_complete: z.string(),
  expires_in: z.number(),
});
type Begun = z.infer<typeof begun>;
type World = Awaited<ReturnType<typeof startIssuerWorld>>;

it("gives a terminal a token once its user has signed in and agreed, and the edge takes it", async () => {
  await using world = await startIssuerWorld();
  await using edge = await startEdgeWorld({ issuers: [world.forEdge] });
  const device = await begin(world, "openid orders:read orders:write");

  const before = await poll(world, device);
  await approve(world, device, "alice");
  const after = await poll(world, device);

  expect(device).toMatchObject({
    verification_uri: `${world.url}/device`,
    expires_in: 600,
  });
  expect(before).toMatchObject({ error: "authorization_pending" });
  expect(after).toMatchObject({ token_type: "Bearer", expires_in: 3_600 });
  const token = tokenOf(after);
  expect(await world.verify(token)).toMatchObject({
    sub: "alice",
    tenant: "demo",
    roles: ["shopper"],
    scope: "orders:read orders:write",
  });
  const answer = await send(edge, {
    path: "/v1/orders",
    headers: { authorization: `Bearer ${token}` },
  });
  expect(answer.status).toBe(200);
  const claims = edge.upstream().calls.at(-1)?.get("x-weft-claims") ?? "";
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject(
    { sub: "alice", tenant: "demo" },
  );
}, 60_000);

it("gives a token once, and no scope that the user may not have", async () => {
  await using world = await startIssuerWorld();
  const device = await begin(world, "openid orders:read orders:write");
  await approve(world, device, "auditor");

  const token = tokenOf(await poll(world, device));
  const again = await poll(world, device);

  expect(await world.verify(token)).toMatchObject({
    sub: "auditor",
    scope: "orders:read",
  });
  expect(again).toMatchObject({ error: "invalid_grant" });
}, 60_000);

it("tells a terminal whose user refuses, and takes the code no more", async () => {
  await using world = await startIssuerWorld();
  const device = await begin(world, "orders:read");
  const browser = openBrowser(world.ca);

  const asked = await browser.submit(
    await browser.visit(device.verification_uri_complete),
  );
  await browser.submit(asked, { abort: "yes" });

  expect(await poll(world, device)).toMatchObject({ error: "access_denied" });
  const { visit, submit } = openBrowser(world.ca);
  const late = await submit(await visit(device.verification_uri_complete));
  await expect(submit(late, { confirm: "yes" })).resolves.not.toMatchObject({
    html: expect.stringContaining('name="login"'),
  });
}, 60_000);

it("does not sign in whom it does not know", async () => {
  await using world = await startIssuerWorld();
  const device = await begin(world, "orders:read");

  await expect(approve(world, device, "mallory")).rejects.toThrow();

  const answer = await poll(world, device);
  expect(answer).not.toHaveProperty("access_token");
}, 60_000);

it("forgets a code that nobody approved in time", async () => {
  await using world = await startIssuerWorld({ DEVICE_CODE_SECONDS: "1" });
  const device = await begin(world, "orders:read");
  expect(device.expires_in).toBe(1);

  await eventually("the code has expired", async () => {
    const { error } = (await poll(world, device)) as { error?: string };
    return error === "expired_token" || error === "invalid_grant";
  });
}, 60_000);

async function begin(world: World, scope: string): Promise<Begun> {
  const form = { client_id: TERMINAL_CLIENT_ID, scope };
  return begun.parse(await world.post("/device/auth", form));
}

function poll(world: World, { device_code }: Begun): Promise<unknown> {
  return world.post("/token", {
    grant_type: "urn:ietf:params:oauth:grant-type:device_code",
    client_id: TERMINAL_CLIENT_ID,
    device_code,
  });
}

/** What the user does with the address that the terminal shows. */
async function approve(
  world: World,
  device: Begun,
  user: string,
): Promise<void> {
  const { visit, submit } = openBrowser(world.ca);
  const code = await visit(device.verification_uri_complete);
  const confirmed = await submit(await submit(code), { confirm: "yes" });
  const consent = await submit(confirmed, { login: user, password: "any" });
  const done = await submit(consent);
  if (!done.html.includes("Success"))
    throw new Error(`not approved: ${done.status} ${done.html}`);
}

function tokenOf(answer: unknown): string {
  return z.object({ access_token: z.string() }).parse(answer).access_token;
}
