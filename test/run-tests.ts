/**
 * `npm test`: the checks, then every test, and a last line with the sum. Arguments go to vitest, and leave the checks
 * out: `npm test -- --project unit`, `npm test -- test/e2e/orders.test.ts`.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecks } from "./checks/run-checks.ts";

interface Sum {
  readonly passed: number;
  readonly failed: number;
}

const args = process.argv.slice(2);
const sums: Sum[] = [];
if (args.length === 0) {
  console.log("checks");
  sums.push(await runChecks());
}
sums.push(await runVitest(args));
const passed = sums.reduce((sum, part) => sum + part.passed, 0);
const failed = sums.reduce((sum, part) => sum + part.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function runVitest(more: readonly string[]): Promise<Sum> {
  const folder = mkdtempSync(join(tmpdir(), "weft-tests-"));
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json"];
  const output = `--outputFile.json=${report}`;
  const config = ["-c", "test/vitest.config.ts"];
  const child = spawn(
    "vitest",
    ["run", ...config, ...reporters, output, ...more],
    { stdio: "inherit" },
  );
  // Ctrl-C reaches vitest by the terminal; we wait for it to clean up.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const code = await new Promise<number>((resolve) => {
    child.on("error", () => resolve(1));
    child.on("close", (exitCode) => resolve(exitCode ?? 1));
  });
  try {
    return sumOf(readFileSync(report, "utf8"), code);
  } catch (error) {
    console.error("vitest left no report", error);
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A run can fail without a failing test: an unhandled error, a global setup, a file that does not load. */
function sumOf(report: string, code: number): Sum {
  // vitest's JSON reporter writes jest's format, which has these two.
  const { numPassedTests, numFailedTests } = JSON.parse(report) as {
    numPassedTests: number;
    numFailedTests: number;
  };
  const failed = code !== 0 && numFailedTests === 0 ? 1 : numFailedTests;
  return { passed: numPassedTests, failed };
}
