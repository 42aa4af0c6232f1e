/** Fails where the contracts break those of main (`buf breaking`, the rules of buf.yaml), with buf's message. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBaseline, writeBaseline } from "./contract-baseline.ts";
import { run } from "./generate-contracts.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-breaking-"));
try {
  const commit = findBaseline(".");
  if (commit === undefined) {
    console.log("there is no main with contracts yet: nothing to break");
  } else {
    writeBaseline(".", commit, folder);
    run("node", ["deploy/contracts/print-validate-proto.ts"], process.env);
    // Our module alone: buf refuses to compare workspaces of different numbers of modules.
    run(
      "buf",
      ["breaking", "proto", "--against", join(folder, "proto")],
      process.env,
    );
    console.log(`the contracts break nothing of ${commit.slice(0, 12)}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
