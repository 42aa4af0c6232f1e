import { execFile } from "node:child_process";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv, promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  startPostgres,
  type Postgres,
} from "../../../deploy/local/components/postgres.ts";
import { validateBootstrap } from "../../../deploy/local/components/envoy.ts";
import { MESH_SERVICES, ROOT } from "../../../deploy/local/mesh-services.ts";
import { runDirectory, type RunDirectory } from "./setup.ts";

/** With all that the environment's format could take for something else. */
const secret = `it's a "secret" \\n of #1 $TEST`;

let run: RunDirectory;
let postgres: Postgres;

beforeAll(async () => {
  run = await runDirectory();
  postgres = await startPostgres({ directory: run.path });
  await prepare();
}, 120_000);

afterAll(async () => {
  await postgres.stop();
  await run[Symbol.asyncDispose]();
});

test.each(MESH_SERVICES.map(({ name }) => name))(
  "prepares an environment that %s takes",
  async (name) => {
    const config: Record<string, unknown> = await import(
      `../../../services/${name}/config.ts`
    );
    const [readServiceConfig] = Object.values(config).filter(
      (each): each is (env: NodeJS.Dict<string>) => unknown =>
        typeof each === "function",
    );

    expect(readServiceConfig?.(await environmentOf(name))).toBeTruthy();
  },
);

test("hands secrets on as they are, whatever they are made of", async () => {
  const { FILES_S3_SECRET_ACCESS_KEY } = await environmentOf("files");

  expect(FILES_S3_SECRET_ACCESS_KEY).toBe(secret);
});

test("prepares a bootstrap that Envoy takes, for the names of the containers", async () => {
  const file = join(run.path, "state", "envoy.yaml");

  await validateBootstrap(file);

  const text = await readFile(file, "utf8");
  for (const { name } of MESH_SERVICES) expect(text).toContain(`"${name}"`);
  expect(text).toContain('"0.0.0.0"');
});

test("changes nothing when it is started again", async () => {
  const before = await environmentOf("order");

  await prepare();

  expect(await environmentOf("order")).toEqual(before);
});

test("leaves the development issuer out of the bootstrap where it is off", async () => {
  const issuers = join(run.path, "issuers.yaml");
  await writeFile(
    issuers,
    "issuers: [{ name: acme, issuer: https://acme.example, jwksUrl: https://acme.example/keys, audiences: [weft] }]",
  );

  await prepare({
    WEFT_ISSUERS_FILE: issuers,
    WEFT_DEVELOPMENT_ISSUER: "off",
  });

  const file = join(run.path, "state", "envoy.yaml");
  await validateBootstrap(file);
  const text = await readFile(file, "utf8");
  expect(text).toContain("https://acme.example/keys");
  expect(text).not.toContain("issuer:8444");
});

test("has the rate-limit service read the file that the bootstrap is made from", async () => {
  const rules = join(run.path, "rate-limits.yaml");
  await copyFile(join(ROOT, "deploy", "rate-limits.yaml"), rules);

  await prepare({ WEFT_RATE_LIMITS_FILE: rules });

  const { RATELIMIT_RULES_FILE } = await environmentOf("ratelimit");
  expect(RATELIMIT_RULES_FILE).toBe(rules);
});

async function prepare(env: Record<string, string> = {}): Promise<void> {
  const { host, password } = new URL(postgres.url);
  await promisify(execFile)(
    process.execPath,
    [join("deploy", "compose", "prepare.ts")],
    {
      cwd: ROOT,
      env: {
        PATH: process.env["PATH"],
        WEFT_STATE_FOLDER: join(run.path, "state"),
        WEFT_POSTGRES_ADDRESS: host,
        WEFT_POSTGRES_PASSWORD: password,
        WEFT_S3_SECRET_KEY: secret,
        ...env,
      },
    },
  );
}

async function environmentOf(name: string): Promise<NodeJS.Dict<string>> {
  return parseEnv(await readFile(join(run.path, "state", "env", name), "utf8"));
}
