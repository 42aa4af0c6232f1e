/**
 * `npm run gen`: generates `gen/` from `proto/`. Generates beside it first, so that a refused contract leaves the old code
 * in place, and rewrites only the files that change.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { differingFiles } from "./compare-folders.ts";
import { generateContracts, generatedFolders } from "./generate-contracts.ts";

const fresh = mkdtempSync(join(tmpdir(), "weft-gen-"));
try {
  generateContracts(fresh, process.env);
  for (const folder of generatedFolders)
    replaceFiles(join(fresh, folder), folder);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

function replaceFiles(source: string, target: string): void {
  for (const name of differingFiles(source, target)) {
    const file = join(target, name);
    if (!existsSync(join(source, name))) {
      rmSync(file);
      console.log(`- ${file}`);
      continue;
    }
    mkdirSync(dirname(file), { recursive: true });
    copyFileSync(join(source, name), file);
    console.log(`* ${file}`);
  }
}
