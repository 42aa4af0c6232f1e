import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, inject, it } from "vitest";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { openShop } from "../support/mesh-shop.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";
import { installPython } from "../support/python.ts";

const suiteTimeoutMs = 15 * 60_000;

/** What schemathesis makes up from the document must get no 5xx, and no status, type or body that the document lacks. */
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
];

it(
  "the edge answers as its OpenAPI document says, whatever is made up from it",
  async () => {
    const python = await installPython("test/e2e/schemathesis.txt");
    const { edge } = meshUnderTest();
    using shop = await openShop("gRPC");
    const { name } = await shop.settled(shop.order(1));
    const cwd = await mkdtemp(join(tmpdir(), "weft-openapi-"));
    await writeFile(join(cwd, "schemathesis.toml"), watching(name));
    const args = [
      ["run", resolve("gen/openapi/weft.openapi.json")],
      ["--url", edge.url, "--tls-verify", inject("mesh").caFile],
      ["--header", `authorization: Bearer ${edge.token?.trim()}`],
      ["--checks", checks.join(",")],
      ["--max-examples", "20", "--seed", "1", "--no-color"],
      ["--continue-on-failure"],
    ].flat();
    const { code, said } = await runTool(
      python,
      ["-m", "schemathesis.cli", ...args],
      cwd,
    );

    await rm(cwd, { recursive: true, force: true });
    expect(code, said).toBe(0);
  },
  suiteTimeoutMs,
);

/** A watch of all orders lives for an hour; one of an order that is settled ends with its state. */
function watching(order: string): string {
  return `[[operations]]
include-path = "/v1/orders:watch"
parameters = { "query.name" = "${order}" }
`;
}

async function runTool(program: string, args: readonly string[], cwd: string) {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd,
      timeout: suiteTimeoutMs,
      maxBuffer: 64 * 1024 * 1024,
      env: {
        ...process.env,
        HOME: cwd,
        XDG_CACHE_HOME: readLocalConfig().cacheDirectory,
      },
    });
    return { code: 0, said: stdout };
  } catch (error) {
    // A failed execFile carries its status, and what the program wrote.
    const { code, stdout } = error as { code: unknown; stdout?: string };
    return { code, said: stdout?.slice(-8_000) };
  }
}
