import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

it.each([
  ["/docs", "gen/docs/index.html", "text/html; charset=utf-8"],
  ["/openapi.json", "gen/openapi/weft.openapi.json", "application/json"],
])("answers %s with the generated document", async (path, file, type) => {
  const answer = await send(world, { path });

  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toBe(type);
  expect(answer.text).toBe(readFileSync(file, "utf8"));
});
