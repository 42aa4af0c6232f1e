import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join, resolve } from "node:path";

/**
 * The commit whose contracts must not be broken: where this branch left `origin/main`, else `main`, else the last commit.
 * Undefined where there is none, or where it has no contracts.
 */
export function findBaseline(root: string): string | undefined {
  const upstream = resolveCommit(root, "origin/main");
  const commit = upstream
    ? git(root, ["merge-base", "HEAD", upstream])
    : (resolveCommit(root, "main") ?? resolveCommit(root, "HEAD"));
  if (commit === undefined) return undefined;
  return git(root, ["ls-tree", commit, "proto/"]) === "" ? undefined : commit;
}

/**
 * Writes the contracts of a commit to `folder` as a buf workspace. Third-party protos come from this checkout's packages:
 * `buf --against .git#ref=...` can't build, for a commit has no node_modules.
 */
export function writeBaseline(
  root: string,
  commit: string,
  folder: string,
): void {
  const archive = join(folder, "baseline.tar");
  git(root, ["archive", `--output=${archive}`, commit, "proto", "buf.yaml"]);
  execFileSync("tar", ["-xf", archive, "-C", folder], { timeout: 30_000 });
  symlinkSync(resolve(root, "node_modules"), join(folder, "node_modules"));
}

function resolveCommit(root: string, name: string): string | undefined {
  try {
    return git(root, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]);
  } catch (error) {
    // With --quiet, git says by status 1 that there is no such commit; anything else is a fault.
    if (error instanceof Error && "status" in error && error.status === 1)
      return undefined;
    throw new Error(`git can't look up ${name}`, { cause: error });
  }
}

function git(root: string, args: readonly string[]): string {
  return execFileSync("git", ["-C", root, ...args], {
    encoding: "utf8",
    timeout: 30_000,
  }).trim();
}
