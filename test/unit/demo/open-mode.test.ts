import { expect, it } from "vitest";
import type { Mesh } from "../../../deploy/local/mesh-handle.ts";
import type { LocalIssuer } from "../../../deploy/local/mesh-issuer.ts";
import { describeParts } from "../../../deploy/local/start-text.ts";

const memory = { byName: {}, totalMegabytes: 1 };

it("says loudly what an open mesh is", () => {
  const text = describeParts(meshOf(undefined), memory);

  expect(text).toContain("!! OPEN DEVELOPMENT MODE !!");
  expect(text).toContain("every caller is the demo tenant");
  expect(text).toContain("listens on 127.0.0.1 only");
});

it("says nothing of it where the edge asks for tokens", () => {
  // Whether there is one is all that counts.
  const issuer = {} as LocalIssuer;

  expect(describeParts(meshOf(issuer), memory)).not.toContain("OPEN");
});

function meshOf(issuer: LocalIssuer | undefined): Mesh {
  // The text reads these two.
  return { parts: [], issuer } as Partial<Mesh> as Mesh;
}
