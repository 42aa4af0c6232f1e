import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import {
  ensureSigningKeys,
  signingKeysFile,
} from "../../../deploy/local/issuer/signing-keys.ts";
import { runDirectory } from "./setup.ts";

const ROTATE = join(import.meta.dirname, "../../../deploy/local/rotate.ts");

it("issues every certificate anew by the same authority", async () => {
  await using run = await setup();

  const said = await run.rotate("certificates");

  expect(said).toMatch(/issued anew: (?=.*order)(?=.*edge-public)(?=.*issuer)/);
  expect(await run.pem("order.pem")).not.toBe(run.before.order);
  expect(await run.pem("ca.pem")).toBe(run.before.ca);
});

it("changes the authority, and keeps every certificate by it at the next start", async () => {
  await using run = await setup();

  await run.rotate("authority");
  const rotated = await run.pem("order.pem");
  await ensureCertificates(run.tls, ["order"]);

  expect(await run.pem("ca.pem")).not.toBe(run.before.ca);
  expect(rotated).not.toBe(run.before.order);
  expect(await run.pem("order.pem")).toBe(rotated);
});

it("lets the issuer sign with its next key", async () => {
  await using run = await setup();
  const { next } = await ensureSigningKeys(run.keysFile);

  const said = await run.rotate("issuer-keys");

  expect(said).toContain(next.kid);
});

it("does nothing where no mesh runs", async () => {
  await using directory = await runDirectory();

  const rotation = rotate(directory.path, "certificates");

  await expect(rotation).rejects.toThrow("no mesh runs in");
});

async function setup() {
  const directory = await runDirectory();
  const tls = join(directory.path, "tls");
  await ensureCertificates(tls, ["order"]);
  await writeFile(join(directory.path, "mesh.json"), "{}");
  const pem = (file: string) => readFile(join(tls, file), "utf8");
  return {
    tls,
    pem,
    before: { ca: await pem("ca.pem"), order: await pem("order.pem") },
    keysFile: signingKeysFile(join(directory.path, "issuer")),
    rotate: (what: string) => rotate(directory.path, what),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

async function rotate(directory: string, what: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ROTATE,
    "--directory",
    directory,
    what,
  ]);
  return stdout;
}
