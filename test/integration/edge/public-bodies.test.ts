import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { send } from "../../support/edge-http.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { methods, pathFormsOf } from "./path-forms.ts";

const LIMIT = 256 * 1024;

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

const publicForms = methods
  .filter(({ access }) => access === "PUBLIC")
  .flatMap(pathFormsOf);

it("knows of a public method in each protocol", () => {
  expect(publicForms.length).toBeGreaterThan(3);
});

describe.each(publicForms)("$name", (form) => {
  it("holds no more than 256 KiB of who has no token", async () => {
    const answer = await send(world, {
      ...form.request,
      headers: { ...form.request.headers, authorization: "" },
      body: Buffer.alloc(LIMIT + 1, " "),
    });

    expect({ status: answer.status, ...form.read(answer) }).toEqual({
      status: form.statusOf(413),
      code: "ResourceExhausted",
      message: "the body of the request is too large",
      info: { reason: "REQUEST_TOO_LARGE", domain: "weft.dev", metadata: {} },
    });
  });

  it("passes as much as that on", async () => {
    const given = new AbortController();
    const arrived = world.payments.nextCall();

    const answer = send(world, {
      ...form.request,
      headers: { ...form.request.headers, authorization: "" },
      body: Buffer.alloc(LIMIT, " "),
      signal: given.signal,
    });

    await arrived;
    given.abort();
    await expect(answer).rejects.toThrow("aborted");
  });
});
