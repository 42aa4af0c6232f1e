import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { IssuerInput } from "../edge/issuer.ts";
import type { Certificates } from "./certificates.ts";
import type { LocalConfig } from "./config.ts";
import { AUDIENCE } from "./issuer/demo-users.ts";
import { requestToken } from "./issuer/request-token.ts";
import { ROOT } from "./mesh-services.ts";
import { persistentSecret } from "./secrets.ts";
import type { SupervisedService } from "./supervisor.ts";

/** As long as nobody else has it, so that tokens outlive a restart of the mesh. */
export const DOCUMENTED_ISSUER_PORT = 8444;
/** After a failure to renew the demo token. */
const RETRY_MS = 5_000;

/** The development issuer of a mesh. */
export interface LocalIssuer {
  readonly url: string;
  readonly port: number;
  readonly tokenEndpoint: string;
  readonly dataDir: string;
  readonly clientSecretFile: string;
  /** A token of the demo user with every scope, renewed while the mesh runs. */
  readonly demoTokenFile: string;
  /** The same as a line of a request's header, for `curl -H @file`. */
  readonly demoHeaderFile: string;
}

/** The issuer whose files are in the directory, as this machine's users reach it by a port. */
export async function issuerAt(
  directory: string,
  port: number,
): Promise<LocalIssuer> {
  const url = `https://localhost:${port}`;
  await persistentSecret(directory, "issuer-client");
  return {
    url,
    port,
    tokenEndpoint: `${url}/token`,
    dataDir: join(directory, "issuer"),
    clientSecretFile: join(directory, "secrets", "issuer-client"),
    demoTokenFile: join(directory, "demo-token"),
    demoHeaderFile: join(directory, "demo-token.header"),
  };
}

/** How the issuer is started, with the whole of its environment. */
export async function issuerProcess(
  issuer: LocalIssuer,
  around: {
    readonly config: LocalConfig;
    readonly certificates: Certificates;
  },
): Promise<SupervisedService> {
  const { config, certificates } = around;
  return {
    name: "issuer",
    command: process.execPath,
    args: ["deploy/local/issuer/main.ts"],
    cwd: ROOT,
    env: {
      ...config.baseEnvironment,
      PORT: String(issuer.port),
      ISSUER_URL: issuer.url,
      DATA_DIR: issuer.dataDir,
      CLIENT_SECRET: await readFile(issuer.clientSecretFile, "utf8"),
      TLS_CERT: certificates.issuer.cert,
      TLS_KEY: certificates.issuer.key,
      NODE_COMPILE_CACHE: join(config.cacheDirectory, "compile-cache"),
    },
  };
}

/** The edge's configuration of this issuer: nothing else of the mesh knows it. */
export function issuerForEdge(
  issuer: LocalIssuer,
  caFile: string,
): IssuerInput {
  return {
    name: "local",
    issuer: issuer.url,
    jwksUrl: `${issuer.url}/jwks`,
    caFile,
    audiences: [AUDIENCE],
    keysRefreshSeconds: 10,
  };
}

/** Writes the demo token, and again at half its life, until `signal` aborts. Resolves when the first is written. */
export async function keepDemoToken(
  issuer: LocalIssuer,
  caFile: string,
  signal: AbortSignal,
): Promise<void> {
  const seconds = await renew(issuer, caFile);
  void renewUntil(issuer, caFile, (seconds / 2) * 1_000, signal);
}

export async function removeDemoToken(issuer: LocalIssuer): Promise<void> {
  await rm(issuer.demoTokenFile, { force: true });
  await rm(issuer.demoHeaderFile, { force: true });
}

async function renewUntil(
  issuer: LocalIssuer,
  caFile: string,
  afterMs: number,
  signal: AbortSignal,
): Promise<void> {
  let waitMs = afterMs;
  while (await slept(waitMs, signal)) {
    try {
      waitMs = ((await renew(issuer, caFile)) / 2) * 1_000;
    } catch {
      // The issuer restarts; the token is valid for another half of its life.
      waitMs = RETRY_MS;
    }
  }
}

async function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
  return !signal.aborted;
}

async function renew(issuer: LocalIssuer, caFile: string): Promise<number> {
  const endpoint = {
    tokenEndpoint: issuer.tokenEndpoint,
    ca: await readFile(caFile),
    clientSecret: await readFile(issuer.clientSecretFile, "utf8"),
  };
  const { token, seconds } = await requestToken(endpoint, { user: "demo" });
  await writeWhole(issuer.demoTokenFile, token);
  await writeWhole(issuer.demoHeaderFile, `authorization: Bearer ${token}\n`);
  return seconds;
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
