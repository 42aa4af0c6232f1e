import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { addressOf } from "../../../deploy/compose/config.ts";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import { readLocalConfig } from "../../../deploy/local/config.ts";
import {
  writeEdgeFiles,
  type EdgeFilesOptions,
} from "../../../deploy/local/mesh-edge.ts";
import { issuerAt, issuerForEdge } from "../../../deploy/local/mesh-issuer.ts";
import { MESH_SERVICES } from "../../../deploy/local/mesh-services.ts";
import { runDirectory } from "./setup.ts";

const ISSUERS = `issuers:
  - name: acme
    issuer: https://login.acme.example
    jwksUrl: https://login.acme.example/keys
    audiences: [weft]
`;

/** Of the pattern of origins. */
const LOCALHOST = "https?://(localhost|";

test("the edge takes tokens of the development issuer and of those in the file", async () => {
  await using world = await setup({});

  const bootstrap = await world.write();

  expect(Object.keys(tokensIn(bootstrap).providers)).toEqual(["local", "acme"]);
});

test("without the development issuer the edge takes tokens of those in the file alone, and asks everybody for one", async () => {
  await using world = await setup({ WEFT_DEVELOPMENT_ISSUER: "off" });

  const bootstrap = await world.write();

  const { providers, rules } = tokensIn(bootstrap);
  expect(Object.keys(providers)).toEqual(["acme"]);
  expect(rules.at(-1)).toEqual({
    match: { prefix: "/" },
    requires: { provider_name: "acme" },
  });
  expect(bootstrap).not.toContain(world.issuer.issuer);
});

test("without the development issuer the edge is never open", async () => {
  await using world = await setup({ WEFT_DEVELOPMENT_ISSUER: "off" });

  await expect(world.write({ issuer: undefined })).rejects.toThrow(
    "the edge needs issuers of tokens",
  );

  await writeFile(world.issuersFile, "issuers: []\n");
  await expect(world.write()).rejects.toThrow(
    "the edge needs issuers of tokens",
  );
});

test("pages of this machine may read answers, and browsers are not held to HTTPS", async () => {
  await using world = await setup({});

  const bootstrap = await world.write();

  expect(bootstrap).toContain(LOCALHOST);
  expect(bootstrap).not.toContain("strict-transport-security");
});

test("the environment has browsers held to HTTPS, and pages of this machine refused", async () => {
  await using world = await setup({
    WEFT_CORS_ORIGINS: "https://shop.example",
    WEFT_CORS_LOCALHOST: "off",
    WEFT_STRICT_TRANSPORT_SECONDS: "31536000",
  });

  const bootstrap = await world.write();

  expect(bootstrap).toContain("https://shop\\\\.example");
  expect(bootstrap).not.toContain(LOCALHOST);
  expect(bootstrap).toContain("max-age=31536000; includeSubDomains");
});

async function setup(environment: Record<string, string>) {
  const run = await runDirectory();
  const issuersFile = join(run.path, "issuers.yaml");
  await writeFile(issuersFile, ISSUERS);
  const names = MESH_SERVICES.map(({ name }) => name);
  const certificates = await ensureCertificates(join(run.path, "tls"), names);
  const issuer = issuerForEdge(await issuerAt(run.path, 8444), certificates.ca);
  const options: EdgeFilesOptions = {
    directory: run.path,
    config: readLocalConfig({ WEFT_ISSUERS_FILE: issuersFile, ...environment }),
    certificates,
    addresses: Object.fromEntries(names.map((name) => [name, addressOf(name)])),
    otlpUrl: undefined,
    issuer,
    host: "127.0.0.1",
    edgePort: 8443,
    adminPort: 9901,
  };
  return {
    issuer,
    issuersFile,
    write: async (overrides: Partial<EdgeFilesOptions> = {}) =>
      readFile(await writeEdgeFiles({ ...options, ...overrides }), "utf8"),
    [Symbol.asyncDispose]: () => run[Symbol.asyncDispose](),
  };
}

const tokens = z.object({
  providers: z.record(z.string(), z.unknown()),
  rules: z.array(z.unknown()),
});

/** Whose tokens the edge verifies, and where it wants one. */
function tokensIn(bootstrap: string): z.infer<typeof tokens> {
  const found: unknown[] = [];
  JSON.parse(bootstrap, (_key, value: unknown) => {
    if (tokens.safeParse(value).success) found.push(value);
    return value;
  });
  return tokens.parse(found[0]);
}
