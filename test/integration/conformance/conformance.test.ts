import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  installConformanceSuite,
  type ConformanceSuite,
} from "../../support/connect-conformance.ts";

const here = "test/integration/conformance";
const installTimeoutMs = 10 * 60_000;
const suiteTimeoutMs = 5 * 60_000;

let suite: ConformanceSuite;
let folder: string;
let contracts: string;

beforeAll(async () => {
  suite = await installConformanceSuite();
  folder = await mkdtemp(join(tmpdir(), "weft-conformance-"));
  contracts = join(folder, "suite.binpb");
  const options = ["--as-file-descriptor-set", "--output", contracts];
  await promisify(execFile)("buf", ["build", suite.contracts, ...options]);
}, installTimeoutMs);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The suite fails for a case that fails and is not listed, and for one that is listed and passes. */
it.each([
  [
    "server",
    [
      // The suite waits 10 s for a server to start. Four at once took longer on a busy machine, and saved nothing on a quiet one.
      "--max-servers",
      "1",
      "--known-failing",
      `@${here}/known-failing-server.txt`,
    ],
  ],
  [
    "client",
    [
      "--known-failing",
      `@${here}/known-failing-client.txt`,
      "--known-flaky",
      `@${here}/known-flaky-client.txt`,
    ],
  ],
])(
  "the %s passes the official conformance suite of Connect",
  async (mode, known) => {
    const said = await runSuite(mode, known);

    expect(said).toMatch(/[1-9]\d\d+ passed, 0 failed/);
  },
  suiteTimeoutMs,
);

async function runSuite(
  mode: string,
  known: readonly string[],
): Promise<string> {
  const underTest = [process.execPath, `${here}/${mode}-under-test.ts`];
  const args = ["--conf", `${here}/${mode}.yaml`, "--mode", mode, ...known];
  try {
    const { stdout } = await promisify(execFile)(
      suite.program,
      [...args, "--", ...underTest, contracts],
      { timeout: suiteTimeoutMs, maxBuffer: 64 * 1024 * 1024 },
    );
    return stdout;
  } catch (error) {
    // A failed execFile carries what the program wrote: the cases that failed, and why.
    return (error as { stdout?: string }).stdout?.slice(-10_000) ?? "";
  }
}
