import { exportJWK, generateKeyPair, type JWK } from "jose";
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";

const jwk = z.looseObject({ kid: z.string(), kty: z.string() });

const fileShape = z.object({
  /** Signs. */
  current: jwk,
  /** Is published already, so that verifiers know it before it signs. */
  next: jwk,
  /** Signed before; what it signed may still be valid. */
  previous: jwk.optional(),
});

export type SigningKeys = z.infer<typeof fileShape>;

export function signingKeysFile(dataDir: string): string {
  return join(dataDir, "keys.json");
}

/** Reads the keys of earlier runs, or makes the first ones. */
export async function ensureSigningKeys(file: string): Promise<SigningKeys> {
  try {
    return fileShape.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const keys = { current: await generateKey(), next: await generateKey() };
  await write(file, keys);
  return keys;
}

/** Lets the published next key sign, publishes another one, and keeps the last one published. */
export async function rotateSigningKeys(file: string): Promise<SigningKeys> {
  const { current, next } = await ensureSigningKeys(file);
  const keys = { current: next, next: await generateKey(), previous: current };
  await write(file, keys);
  return keys;
}

async function generateKey(): Promise<SigningKeys["current"]> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const key: JWK = await exportJWK(privateKey);
  return jwk.parse({ ...key, kid: randomUUID(), alg: "ES256", use: "sig" });
}

async function write(file: string, keys: SigningKeys): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, `${JSON.stringify(keys, null, 2)}\n`, {
    mode: 0o600,
  });
  await rename(`${file}.new`, file);
}
