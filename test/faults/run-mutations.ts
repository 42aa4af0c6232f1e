/**
 * `npm run test:mutations`: plants one bug after another in a copy of the tree, and fails where no test notices. A bug is
 * caught where tests fail that pass without it. With words as arguments, only the mutations whose hole, or what has to catch
 * it, has all of them: `relay.test`.
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
const chosen = MUTATIONS.filter((mutation) => {
  const described = [mutation.hole, ...commandOf(mutation)].join(" ");
  return words.every((word) => described.includes(word));
});
/** By its command: whether the tests pass on the tree as it is. */
const sound = new Map<string, boolean>();
let caught = 0;
for (const mutation of chosen) {
  const startedAt = performance.now();
  const verdict = await judge(mutation);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(`${verdict}  ${mutation.hole} (${seconds} s)`);
  if (verdict === "caught") caught += 1;
}
console.log(`${caught} of ${chosen.length} caught`);
process.exitCode = caught === chosen.length && caught > 0 ? 0 : 1;

type Verdict =
  | "caught"
  | "MISSED"
  | "UNDECIDED: fails without the bug, too"
  | "UNDECIDED: took too long";

async function judge(mutation: Mutation): Promise<Verdict> {
  const command = commandOf(mutation);
  const key = command.join(" ");
  if (!sound.has(key)) sound.set(key, (await inCopy(command)) === 0);
  if (sound.get(key) !== true) return "UNDECIDED: fails without the bug, too";
  const code = await inCopy(command, mutation);
  if (code === null) return "UNDECIDED: took too long";
  return code === 0 ? "MISSED" : "caught";
}

/** Runs a command in a copy of the tree, with a bug in it or without. */
async function inCopy(
  command: readonly string[],
  mutation?: Mutation,
): Promise<number | null> {
  const folder = mkdtempSync(join(tmpdir(), "weft-mutation-"));
  try {
    for (const name of COPIED) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    if (mutation) mutate(join(folder, mutation.file), mutation);
    return await run(folder, command);
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

/** The exit code; null where it took too long. */
function run(cwd: string, args: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: "ignore",
    timeout: DEADLINE_MS,
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
}
