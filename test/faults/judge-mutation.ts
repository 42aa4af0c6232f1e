import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Mutation } from "./mutation.ts";
import type { TreeCopy } from "./tree-copy.ts";

const DEADLINE_MS = 300_000;

export interface JudgeDeps {
  readonly copy: TreeCopy;
  /** Of the tests' processes, beside our own. */
  readonly env: Readonly<Record<string, string>>;
  /** The tests and crash points that are known to pass without a bug. */
  readonly sound: Set<string>;
}

export interface Verdict {
  readonly kind: "caught" | "MISSED" | "UNDECIDED";
  /** What caught it, or why there is no verdict. */
  readonly why?: string;
}

/** A test that fails for want of time, and not of the bug, is met on a busy machine; so often it is no accident. */
const ATTEMPTS = 3;

/** Plants the bug, and asks of the first test that fails whether it fails again, and passes without the bug. */
export async function judge(
  deps: JudgeDeps,
  mutation: Mutation,
): Promise<Verdict> {
  const look = lookFor(deps, mutation);
  using planted = deps.copy.plant(mutation);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const failed = await look();
    if (failed === undefined) return { kind: "MISSED" };
    if (typeof failed !== "string") return failed;
    const again = await look(failed);
    if (again === undefined) continue;
    if (typeof again !== "string") return again;
    planted[Symbol.dispose]();
    return deps.sound.has(failed)
      ? { kind: "caught", why: failed }
      : proveSound(deps, failed, await look(failed));
  }
  return undecided("other tests fail each time");
}

/** What fails, as it stands: of all that has to catch the bug, or one test by its name. */
function lookFor(deps: JudgeDeps, { caughtBy }: Mutation) {
  return (only?: string): Promise<string | Verdict | undefined> =>
    "tests" in caughtBy
      ? firstFailure(deps, caughtBy.tests, only)
      : failingPoint(deps, caughtBy.points);
}

function proveSound(
  { sound }: JudgeDeps,
  failed: string,
  without: string | Verdict | undefined,
): Verdict {
  if (typeof without === "string") {
    return undecided(`fails without the bug, too: ${failed}`);
  }
  if (without !== undefined) return without;
  sound.add(failed);
  return { kind: "caught", why: failed };
}

/** The full name of the first test that fails, of all or of the one that is named so; undefined where none does. */
async function firstFailure(
  { copy, env }: JudgeDeps,
  files: readonly string[],
  only?: string,
): Promise<string | Verdict | undefined> {
  const report = join(copy.folder, "report.json");
  rmSync(report, { force: true });
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "-c",
    "test/vitest.config.ts",
    "--bail=1",
    "--reporter=json",
    `--outputFile=${report}`,
    ...files,
  ];
  if (only !== undefined) args.push("-t", `^${escaped(only)}$`);
  const code = await run(copy.folder, env, args);
  if (code === null) return undecided("took too long");
  const { numPassedTests, testResults } = REPORT.parse(
    JSON.parse(readFileSync(report, "utf8")),
  );
  const tests = testResults.flatMap((file) => file.assertionResults);
  const failed = tests.find(({ status }) => status === "failed");
  if (failed !== undefined) {
    // As `-t` has it.
    return [...failed.ancestorTitles, failed.title].join(" > ");
  }
  if (code === 0 && numPassedTests > 0) return undefined;
  const message = testResults.map((file) => file.message).join(" ");
  return undecided(`no test failed, but the run: ${message.slice(0, 200)}`);
}

const REPORT = z.object({
  numPassedTests: z.number(),
  testResults: z.array(
    z.object({
      message: z.string(),
      assertionResults: z.array(
        z.object({
          ancestorTitles: z.array(z.string()),
          title: z.string(),
          status: z.string(),
        }),
      ),
    }),
  ),
});

/** The crash points, where one of them fails. */
async function failingPoint(
  { copy }: JudgeDeps,
  points: string,
): Promise<string | Verdict | undefined> {
  const args = ["test/faults/run-faults.ts", "--points", points];
  const code = await run(copy.folder, {}, args);
  if (code === null) return undecided("took too long");
  return code === 0 ? undefined : points;
}

function undecided(why: string): Verdict {
  return { kind: "UNDECIDED", why };
}

function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}

/** The exit code; null where it took too long. */
function run(
  cwd: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<number | null> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: "ignore",
    timeout: DEADLINE_MS,
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
}
