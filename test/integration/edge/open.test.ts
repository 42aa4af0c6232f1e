import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, expect, it } from "vitest";
import { allScopes } from "../../support/test-issuer.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld({ bootstrap: { open: true, issuers: [] } });
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const forged = Buffer.from(
  JSON.stringify({ sub: "root", tenant: "victim", scope: "*" }),
).toString("base64url");

it.each([
  { who: "no token", headers: { authorization: "" } },
  { who: "a token that is none", headers: { authorization: "Bearer x.y.z" } },
  { who: "claims of its own", headers: { "x-weft-claims": forged } },
  { who: "a token of another tenant", headers: {} },
])(
  "takes a caller with $who for the demo tenant's user, who may do everything",
  async ({ headers }) => {
    const globex = await world.issuer.token({ tenant: "globex" });

    const answer = await send(world, {
      path: `/v1/${ORDER}`,
      headers: { authorization: `Bearer ${globex}`, ...headers },
    });

    expect(answer.status).toBe(200);
    const claims = world.upstream().calls.at(-1)?.get("x-weft-claims") ?? "";
    const read = JSON.parse(Buffer.from(claims, "base64url").toString()) as {
      scope: string;
    };
    expect(read).toMatchObject({ sub: "demo", tenant: "demo" });
    expect(read.scope.split(" ")).toEqual(allScopes);
  },
);

it("is not there for other machines", async () => {
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4");

  for (const { address } of addresses) {
    await expect(reach(address, world.port)).rejects.toThrow("ECONNREFUSED");
  }
  await reach("127.0.0.1", world.port);
});

function reach(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}
