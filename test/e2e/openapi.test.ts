import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, inject, it } from "vitest";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { installPython } from "../support/python.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";

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
    const cwd = await mkdtemp(join(tmpdir(), "weft-openapi-"));
    const args = [
      ["run", resolve("gen/openapi/weft.openapi.json")],
      ["--url", edge.url, "--tls-verify", inject("mesh").caFile],
      ["--header", `authorization: Bearer ${edge.token?.trim()}`],
      // A watch lives for an hour.
      ["--exclude-path-regex", ":watch$"],
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
