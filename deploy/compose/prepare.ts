import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ALLOCATOR_SETTINGS } from "../local/allocator.ts";
import { ensureCertificates } from "../local/certificates.ts";
import { provisionServices } from "../local/mesh-database.ts";
import { writeMeshFile } from "../local/mesh-directory.ts";
import { writeEdgeFiles } from "../local/mesh-edge.ts";
import {
  issuerAt,
  issuerForEdge,
  issuerProcess,
} from "../local/mesh-issuer.ts";
import {
  MESH_SERVICES,
  serviceProcess,
  type ServiceAddresses,
} from "../local/mesh-services.ts";
import { persistentSecret } from "../local/secrets.ts";
import { objectStore } from "../local/versions.ts";
import { addressOf, readComposeConfig, type ComposeConfig } from "./config.ts";

/**
 * Makes what the containers of compose.yaml share, once, and keeps it in their volume: certificates, secrets, the
 * services' roles and schemas, an environment for each process, and Envoy's bootstrap. Started again it changes nothing
 * but what the configuration changes.
 */
async function prepare(config: ComposeConfig): Promise<void> {
  const { state } = config;
  await mkdir(state, { recursive: true });
  await chmod(state, 0o700);
  const names = MESH_SERVICES.map(({ name }) => name);
  const certificates = await ensureCertificates(join(state, "tls"), names);
  const addresses: ServiceAddresses = Object.fromEntries(
    names.map((name) => [name, addressOf(name)]),
  );
  const around = {
    directory: state,
    config: config.local,
    certificates,
    addresses,
    databaseUrls: await provisionServices(state, config.postgresUrl),
    kafkaBrokers: config.kafkaBrokers,
    redisUrl: config.redisUrl,
    otlpUrl: config.otlpUrl,
    paymentProviderUrl: config.paymentProviderUrl,
    objectStore: { ...config.objectStore, ...objectStore },
    sparkRemote: config.local.sparkRemote,
    pageTokenSecret: await persistentSecret(state, "page-token"),
    paymentTokenSecret: await persistentSecret(state, "payment-token"),
    webhookSecret: await persistentSecret(state, "payment-webhook"),
  };
  for (const name of names) {
    const { env } = serviceProcess(name, around);
    await writeEnvironment(state, name, {
      ...env,
      ...(name === "files"
        ? { FILES_S3_PUBLIC_ENDPOINT: config.objectStore.publicUrl }
        : {}),
    });
  }
  for (const folder of ["shared", "temp"]) {
    await mkdir(join(state, "sort", folder), { recursive: true });
  }
  const issuer = await issuerAt(state, config.issuer.port);
  const { env } = await issuerProcess(issuer, around);
  await writeEnvironment(state, "issuer", env);
  await writeEdgeFiles({
    ...around,
    issuer: {
      ...issuerForEdge(issuer, certificates.ca),
      jwksUrl: config.issuer.jwksUrl,
    },
    host: "0.0.0.0",
    edgePort: config.edge.port,
    adminPort: config.edge.adminPort,
  });
  await writeMeshFile(state, { caFile: certificates.ca, issuer });
}

/** What the image sets or does without. */
const OF_THE_IMAGE = ["NODE_COMPILE_CACHE", ...Object.keys(ALLOCATOR_SETTINGS)];

/** For `node --env-file`; no process listens on loopback alone, since its peers are other machines. */
async function writeEnvironment(
  state: string,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const folder = join(state, "env");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const host = name === "issuer" ? { HOST: "0.0.0.0" } : {};
  const lines = Object.entries({ ...env, WEFT_HOST: "0.0.0.0", ...host })
    .filter(([variable]) => !OF_THE_IMAGE.includes(variable))
    .map(([variable, value]) => `${variable}=${quoted(variable, value)}\n`);
  const file = join(folder, name);
  await writeFile(`${file}.new`, lines.join(""), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** The format has no escapes inside its quotes, but three kinds of them; in double ones `\n` is a line's end. */
function quoted(variable: string, value: string): string {
  const quote = ["'", "`"].find((mark) => !value.includes(mark));
  if (quote !== undefined) return quote + value + quote;
  throw new Error(`${variable} may hold an apostrophe or a backtick, not both`);
}

const config = readComposeConfig(process.env);
await prepare(config);
console.log(`${config.state} has what the mesh needs`);
