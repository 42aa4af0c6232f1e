import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, inject, it } from "vitest";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { connectToEdge } from "../support/edge-clients.ts";
import { tokenFor } from "../support/edge-token.ts";
import { meshUnderTest, type EdgeAddress } from "../support/mesh-under-test.ts";
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
    const { edge, directory } = meshUnderTest();
    // Of another tenant than the tests' own, whose books are audited.
    const token = await tokenFor(directory, { user: "globex" });
    const order = await settledOrder({ ...edge, token });
    const cwd = await mkdtemp(join(tmpdir(), "weft-openapi-"));
    await writeFile(join(cwd, "schemathesis.toml"), watching(order));
    const args = [
      ["run", resolve("gen/openapi/weft.openapi.json")],
      ["--url", edge.url, "--tls-verify", inject("mesh").caFile],
      ["--header", `authorization: Bearer ${token}`],
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

/** The name of an order that was rejected, so that the payment provider knows nothing of it. */
async function settledOrder(edge: EdgeAddress): Promise<string> {
  using client = connectToEdge(edge, "gRPC");
  const sku = `openapi-${randomUUID()}`;
  const price = { currencyCode: "EUR", units: 1n };
  await client.inventory.createProduct({ sku, product: { title: sku, price } });
  const { order } = await client.orders.createOrder({
    order: { lines: [{ sku, quantity: 1 }], paymentToken: "tok_visa" },
    wait: true,
  });
  expect(order?.settleTime).toBeDefined();
  return order?.name ?? "";
}

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
