import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readIssuers, toIssuer } from "../../../deploy/edge/issuer.ts";

const valid = {
  name: "acme",
  issuer: "https://login.acme.example",
  jwksUrl: "https://login.acme.example/keys",
  audiences: ["weft"],
};

it("reads the file that the README shows", () => {
  const readme = readFileSync(
    new URL("../../../README.md", import.meta.url),
    "utf8",
  );
  const [, example = ""] =
    /^```yaml\n(issuers:[\s\S]*?)^```$/m.exec(readme) ?? [];

  const issuers = read(example);

  expect(issuers.map(({ name }) => name)).toEqual([
    "keycloak",
    "entra",
    "cognito",
  ]);
});

it("takes a claim's name, or the names on the way to it", () => {
  const { claims } = toIssuer({
    ...valid,
    claims: { tenant: "custom:tenant", roles: [["realm_access", "roles"]] },
  });

  expect(claims).toMatchObject({
    subject: ["sub"],
    tenant: ["custom:tenant"],
    roles: [["realm_access", "roles"]],
  });
});

it("refuses an issuer whose tokens could be made for somebody else", () => {
  expect(() => toIssuer({ ...valid, audiences: [] })).toThrow(
    "names no audiences and demands no claim",
  );
});

it("refuses keys that come over the network in the clear", () => {
  const jwksUrl = "http://login.acme.example/keys";

  expect(() => toIssuer({ ...valid, jwksUrl })).toThrow("must be https");
  expect(
    toIssuer({ ...valid, jwksUrl: "http://localhost:1/keys" }).jwksUrl,
  ).toContain("localhost");
});

it("refuses two issuers of which a token could be either's", () => {
  const other = { ...valid, name: "other" };
  const again = { ...valid, issuer: "https://again.example" };
  const file = JSON.stringify({ issuers: [valid, other, again] });

  expect(() => read(file)).toThrow(
    "the issuers acme (https://login.acme.example) and other (https://login.acme.example) have the same issuer",
  );
  expect(() => read(file)).toThrow(
    "the issuers acme (https://login.acme.example) and acme (https://again.example) have the same name",
  );
});

it("refuses a clock skew of 0, which Envoy takes for 60 s", () => {
  expect(() => toIssuer({ ...valid, clockSkewSeconds: 0 })).toThrow(
    "clockSkewSeconds",
  );
  expect(toIssuer({ ...valid, clockSkewSeconds: 1 }).clockSkewSeconds).toBe(1);
});

it.each(["", "x".repeat(64)])(
  "refuses a tenant that no service would take: '%s'",
  (tenant) => {
    expect(() => toIssuer({ ...valid, tenant })).toThrow("tenant");
  },
);

it("names every fault of a file", () => {
  const faulty = `issuers: [{name: "A B", issuer: "https://a", jwksUrl: "https://a", audience: weft}]`;

  expect(() => read(faulty)).toThrow(/issuers\.0\.name: .*\n.*"audience"/);
});

function read(text: string) {
  const folder = mkdtempSync(join(tmpdir(), "weft-issuers-"));
  try {
    const file = join(folder, "issuers.yaml");
    writeFileSync(file, text);
    return readIssuers(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
