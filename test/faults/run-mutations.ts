/**
 * `npm run test:mutations`: plants one bug after another in a copy of the tree, and fails where no test notices. With
 * words as arguments, only the mutations whose hole has all of them.
 */
import { spawn } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MUTATIONS, type Mutation } from "./mutations.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const COPIED = ["services", "gen", "deploy", "proto", "test", "package.json"];
const DEADLINE_MS = 300_000;

const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(({ hole }) =>
  words.every((word) => hole.includes(word)),
);
const missed: string[] = [];
for (const mutation of chosen) {
  const startedAt = performance.now();
  const isCaught = await plant(mutation);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `${isCaught ? "caught" : "MISSED"}  ${mutation.hole} (${seconds} s)`,
  );
  if (!isCaught) missed.push(mutation.hole);
}
console.log(`${chosen.length - missed.length} of ${chosen.length} caught`);
process.exitCode = missed.length === 0 && chosen.length > 0 ? 0 : 1;

async function plant(mutation: Mutation): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "weft-mutation-"));
  try {
    for (const name of COPIED) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    mutate(join(folder, mutation.file), mutation);
    return (await run(folder, commandOf(mutation))) !== 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function mutate(path: string, { file, find, replace }: Mutation): void {
  const source = readFileSync(path, "utf8");
  if (source.split(find).length !== 2) {
    throw new Error(`${file} does not have this once: ${find}`);
  }
  // A function, for `$1` means something to `replace` in a string.
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
}

function commandOf({ caughtBy }: Mutation): readonly string[] {
  return "tests" in caughtBy
    ? [
        "node_modules/vitest/vitest.mjs",
        "run",
        "-c",
        "test/vitest.config.ts",
        "--bail=1",
        ...caughtBy.tests,
      ]
    : ["test/faults/run-faults.ts", "--points", caughtBy.points];
}

function run(cwd: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: "ignore",
    timeout: DEADLINE_MS,
  });
  return new Promise((resolve) => {
    child.on("error", () => resolve(0));
    child.on("close", (code) => resolve(code ?? 1));
  });
}
