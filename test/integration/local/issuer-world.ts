import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import { readLocalConfig } from "../../../deploy/local/config.ts";
import { requestToken } from "../../../deploy/local/issuer/request-token.ts";
import { signingKeysFile } from "../../../deploy/local/issuer/signing-keys.ts";
import {
  issuerAt,
  issuerForEdge,
  issuerProcess,
} from "../../../deploy/local/mesh-issuer.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { createSupervisor } from "../../../deploy/local/supervisor.ts";
import { runDirectory } from "./setup.ts";

/** The development issuer as a process of its own; `env` is what else it is told. */
export async function startIssuerWorld(env: Record<string, string> = {}) {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await runDirectory());
  const certificates = await ensureCertificates(`${directory.path}/tls`, []);
  const issuer = await issuerAt(directory.path, await freePort());
  const supervisor = stack.use(
    createSupervisor({
      directory: directory.path,
      onProgress: () => undefined,
    }),
  );
  const around = { config: readLocalConfig(), certificates };
  const process = await issuerProcess(issuer, around);
  await supervisor.start({ ...process, env: { ...process.env, ...env } });
  const ca = await readFile(certificates.ca);
  const endpoint = {
    tokenEndpoint: issuer.tokenEndpoint,
    ca,
    clientSecret: await readFile(issuer.clientSecretFile, "utf8"),
  };
  const get = (path: string) => send(ca, `${issuer.url}${path}`);
  const jwks = createRemoteJWKSet(new URL(`${issuer.url}/jwks`), {
    [customFetch]: async () =>
      new Response(await get("/jwks"), { status: 200 }),
  });
  const token = (wish: { user?: string; scope?: string }) =>
    requestToken(endpoint, wish);
  const verify = async (issued: string) => {
    const { payload } = await jwtVerify(issued, jwks, {
      issuer: issuer.url,
      audience: "weft",
    });
    return payload;
  };
  const running = stack.move();
  return {
    url: issuer.url,
    ca,
    forEdge: issuerForEdge(issuer, certificates.ca),
    keysFile: signingKeysFile(issuer.dataDir),
    token,
    verify,
    verified: async (wish: { user?: string; scope?: string }) =>
      verify((await token(wish)).token),
    async keys() {
      const { keys } = JSON.parse(await get("/jwks")) as {
        keys: { kid: string }[];
      };
      return keys.map(({ kid }) => kid);
    },
    post: async (path: string, form: Record<string, string>) =>
      JSON.parse(
        await send(
          ca,
          `${issuer.url}${path}`,
          new URLSearchParams(form).toString(),
        ),
      ) as unknown,
    restart: () => supervisor.restart("issuer"),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function send(ca: Buffer, url: string, form?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: form === undefined ? "GET" : "POST",
        ca,
        agent: false,
        headers: form
          ? { "content-type": "application/x-www-form-urlencoded" }
          : {},
      },
      (response) => void text(response).then(resolve, reject),
    );
    sent.on("error", reject);
    sent.end(form);
  });
}
