import { createHash } from "node:crypto";
import { readFileSync, watch } from "node:fs";
import { createServer } from "node:https";
import { basename, dirname } from "node:path";
import type { RequestListener } from "node:http";
import { readRouteTable } from "../../edge/route-table.ts";
import { readIssuerConfig } from "./config.ts";
import { createProvider } from "./provider.ts";
import { ensureSigningKeys, signingKeysFile } from "./signing-keys.ts";

const config = readIssuerConfig(process.env);
const table = new URL("../../../gen/edge/routes.json", import.meta.url);
const scopes = readRouteTable(table).services.flatMap(({ methods }) =>
  methods.flatMap((method) => method.scopes),
);
const keysFile = signingKeysFile(config.dataDir);
let handler = await createHandler();

const server = createServer(
  {
    cert: readFileSync(config.certFile),
    key: readFileSync(config.keyFile),
    minVersion: "TLSv1.2",
  },
  (request, response) => handler(request, response),
);
server.maxConnections = 1_000;
server.requestTimeout = 10_000;
server.listen(config.port, config.host, () => {
  console.log(`issuer of development tokens: ${config.url}`);
  process.send?.("ready");
});
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    server.close(() => process.exit());
    server.closeAllConnections();
  });
}

watch(dirname(config.certFile), { persistent: false }, (_event, name) => {
  if (name === basename(config.certFile)) takeCertificate();
});

// The file is replaced by a rename, so its folder is watched. Both keys of a rotation are in either file.
watch(dirname(keysFile), { persistent: false }, (_event, name) => {
  if (name === "keys.json") void takeKeys();
});

function takeCertificate(): void {
  try {
    server.setSecureContext({
      cert: readFileSync(config.certFile),
      key: readFileSync(config.keyFile),
    });
  } catch (error) {
    console.error("goes on with the certificate that it has", error);
  }
}

async function takeKeys(): Promise<void> {
  try {
    handler = await createHandler();
    console.log("took the keys anew");
  } catch (error) {
    console.error("goes on with the keys that it has", error);
  }
}

async function createHandler(): Promise<RequestListener> {
  const provider = createProvider({
    url: config.url,
    keys: await ensureSigningKeys(keysFile),
    scopes: [...new Set(scopes)].sort(),
    clientSecret: config.clientSecret,
    deviceCodeSeconds: config.deviceCodeSeconds,
    cookieKey: createHash("sha256")
      .update(`cookies of ${config.clientSecret}`)
      .digest("base64url"),
  });
  const answer = provider.callback();
  return (request, response) => void answer(request, response);
}
