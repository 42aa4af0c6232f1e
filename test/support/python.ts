import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { installOnce } from "../../deploy/local/install.ts";
import { fillVirtualEnvironment } from "../../deploy/local/tool-chains.ts";

const run = promisify(execFile);

/** A Python with the packages of a requirements file, installed once for each content of it. Answers its program. */
export async function installPython(requirements: string): Promise<string> {
  const context = { cache: readLocalConfig().cacheDirectory };
  const hash = createHash("sha256").update(readFileSync(requirements));
  const folder = await installOnce(context, {
    component: "python",
    folder: `python-${hash.digest("hex").slice(0, 16)}`,
    needsMegabytes: 300,
    fill: (staging) =>
      fillVirtualEnvironment(context, staging, {
        component: "python",
        packages: ["-r", resolve(requirements)],
      }),
  });
  return join(folder, "bin", "python");
}

/**
 * Makes Python's stubs with Python's own tools. `source` is a folder of contracts with all that they import, or a descriptor
 * set of them. Google's messages come from the packages that Google publishes.
 */
export async function makePythonStubs(
  python: string,
  source: readonly string[],
  files: readonly string[],
  out: string,
): Promise<void> {
  mkdirSync(out, { recursive: true });
  const outputs = [`--python_out=${out}`, `--grpc_python_out=${out}`];
  await run(python, [
    "-m",
    "grpc_tools.protoc",
    ...source,
    ...outputs,
    ...files,
  ]);
}
