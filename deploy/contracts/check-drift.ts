/** Fails where `gen/` is not what `proto/` and the plugins of this checkout generate, and names the files. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { differingFiles } from "./compare-folders.ts";
import { generateContracts, generatedFolders } from "./generate-contracts.ts";

const fresh = mkdtempSync(join(tmpdir(), "weft-drift-"));
try {
  generateContracts(fresh, process.env);
  const stale = generatedFolders.flatMap((folder) =>
    differingFiles(join(fresh, folder), folder).map((name) =>
      join(folder, name),
    ),
  );
  if (stale.length > 0) {
    throw new Error(
      `generated files are stale; run npm run gen:\n  ${stale.join("\n  ")}`,
    );
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
