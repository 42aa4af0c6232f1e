/**
 * `npm run check`: everything that can be said of the tree without running it. All checks run, two at a time, whatever
 * the others say; each tells its result in a line, and its output where it failed.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

export interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const checks: readonly Check[] = [
  { name: "types", command: ["tsc", "--noEmit", "-p", "tsconfig.json"] },
  {
    name: "lint",
    command: [
      "oxlint",
      "-c",
      "test/oxlint.json",
      "--type-aware",
      "--deny-warnings",
      "services",
      "deploy",
      "test",
    ],
  },
  { name: "format", command: ["prettier", "--check", ".", "!gen", "!.weft"] },
  {
    name: "imports",
    command: [
      "vitest",
      "run",
      "-c",
      "test/vitest.config.ts",
      "test/unit/import-rule.test.ts",
    ],
  },
  // After the drift check, which prints the one contract that is not in the tree.
  { name: "drift", command: ["node", "deploy/contracts/check-drift.ts"] },
  {
    name: "sort kernel",
    command: [
      "node",
      "services/sort/engine/kernel/compile-kernel.ts",
      "--check",
    ],
  },
  { name: "contracts", command: ["buf", "lint"] },
  {
    name: "contract format",
    command: ["buf", "format", "--diff", "--exit-code", "proto"],
  },
  {
    name: "breaking changes",
    command: ["node", "deploy/contracts/check-breaking.ts"],
  },
];

/** Runs every check; returns how many passed and failed. */
export async function runChecks(): Promise<{ passed: number; failed: number }> {
  const waiting = [...checks];
  const results: boolean[] = [];
  const work = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      results.push(await runCheck(check));
    }
  };
  const lanes = Math.min(2, availableParallelism());
  await Promise.all(Array.from({ length: lanes }, work));
  const passed = results.filter(Boolean).length;
  return { passed, failed: results.length - passed };
}

async function runCheck(check: Check): Promise<boolean> {
  const startedAt = performance.now();
  const { code, output } = await run(check.command);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const verdict = code === 0 ? "ok" : "FAILED";
  console.log(`  ${verdict.padEnd(7)} ${check.name} (${seconds} s)`);
  if (code !== 0) {
    console.log(output.trimEnd());
  }
  return code === 0;
}

function run([program, ...args]: Check["command"]) {
  const child = spawn(program, args, {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  return new Promise<{ code: number; output: string }>((resolve) => {
    child.on("error", (error) => resolve({ code: 1, output: error.message }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

if (import.meta.main) {
  const { failed } = await runChecks();
  process.exitCode = failed > 0 ? 1 : 0;
}
