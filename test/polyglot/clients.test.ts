import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { execFile, spawn } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { findGo } from "../../deploy/local/tool-chains.ts";
import { openShop } from "../support/mesh-shop.ts";
import { installPython, makePythonStubs } from "../support/python.ts";

const run = promisify(execFile);
const here = "test/polyglot";
const installTimeoutMs = 10 * 60_000;
/** The contracts of the last release, see the README there: its clients must go on working. */
const [previous = "none"] = globSync(`${here}/previous/*.binpb`);

let folder: string;
let contracts: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "weft-polyglot-"));
  contracts = join(folder, "contracts");
  await run("buf", ["export", "proto", "--output", contracts]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clients = {
  "Python, stubs from the contracts": async () => {
    const files = globSync("{weft,buf}/**/*.proto", { cwd: contracts });
    return python("current", ["-I", contracts], files);
  },
  "Python, stubs from the contracts of the last release": async () => {
    const { file } = fromBinary(
      FileDescriptorSetSchema,
      readFileSync(previous),
    );
    const files = file
      .map(({ name }) => name)
      .filter((name) => /^(weft|buf)\//.test(name));
    return python(
      "previous",
      ["--descriptor_set_in", resolve(previous)],
      files,
    );
  },
  "Go, stubs from the contracts": () => go("current", contracts),
  "Go, stubs from the contracts of the last release": () =>
    go("previous", resolve(previous)),
} as const;

it.each(Object.entries(clients))(
  "a client in %s orders, watches, and reads what an error says",
  async (_, build) => {
    const client = await build();
    using shop = await openShop("gRPC");

    const seen = await visit(client, shop.sku);

    expect(seen).toEqual({
      order: true,
      last: "STATE_COMPLETED",
      state: "STATE_COMPLETED",
      total: expect.stringMatching(/^\d+ EUR$/),
      refusal: {
        code: expect.stringMatching(/^(INVALID_ARGUMENT|InvalidArgument)$/),
        reason: "INVALID_FIELD",
        fields: ["order.lines[0].quantity"],
      },
    });
  },
  installTimeoutMs,
);

interface Client {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function python(
  name: string,
  source: readonly string[],
  files: readonly string[],
): Promise<Client> {
  const program = await installPython(`${here}/python/requirements.txt`);
  const stubs = join(folder, `python-${name}`);
  await makePythonStubs(program, source, files, stubs);
  return {
    command: program,
    args: [`${here}/python/orders_client.py`],
    env: { PYTHONPATH: stubs },
  };
}

async function go(name: string, source: string): Promise<Client> {
  const module = join(folder, `go-${name}`);
  cpSync(`${here}/go`, module, { recursive: true });
  const program = await findGo(
    { cache: readLocalConfig().cacheDirectory },
    "the Go client",
  );
  const options = { cwd: module };
  const template = ["--template", "buf.gen.yaml", "--include-imports"];
  await run("buf", ["generate", source, ...template], options);
  await run(program, ["build", "-o", "client", "."], options);
  return { command: join(module, "client"), args: [], env: {} };
}

async function visit(client: Client, sku: string): Promise<unknown> {
  const { edgeUrl, caFile, demoTokenFile } = inject("mesh");
  const args = [...client.args, new URL(edgeUrl).host, caFile, demoTokenFile];
  const child = spawn(client.command, args, {
    env: { ...process.env, ...client.env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: 60_000,
  });
  child.stdin.end(`${sku}\n`);
  const [said, complaint] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
  ]);
  if (said === "") throw new Error(`the client failed: ${complaint}`);
  return JSON.parse(said);
}
