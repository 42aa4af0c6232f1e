/**
 * Compiles `assembly/` into `kernel.wasm` with the pinned AssemblyScript compiler, which makes the same bytes of the
 * same source everywhere. `--check` compares instead of writing.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const compiled = fileURLToPath(new URL("./kernel.wasm", import.meta.url));

const FLAGS = [
  "-O3",
  "--noAssert",
  "--runtime=stub",
  "--importMemory",
  "--noExportMemory",
  "--sharedMemory",
  "--initialMemory=16",
  "--maximumMemory=65536",
  "--enable=simd",
  "--enable=threads",
  "--enable=bulk-memory",
];

function compileKernel(): Buffer {
  const { resolve } = createRequire(import.meta.url);
  const manifest = resolve("assemblyscript/package.json");
  const compiler = join(dirname(manifest), "bin", "asc.js");
  const folder = mkdtempSync(join(tmpdir(), "weft-kernel-"));
  const output = join(folder, "kernel.wasm");
  try {
    execFileSync(
      process.execPath,
      [compiler, "index.ts", `--outFile=${output}`, ...FLAGS],
      { cwd: join(import.meta.dirname, "assembly"), stdio: "inherit" },
    );
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const code = compileKernel();
if (!process.argv.includes("--check")) {
  writeFileSync(compiled, code);
  console.log(`${code.length} bytes written to ${compiled}`);
} else if (!code.equals(readFileSync(compiled))) {
  console.error(
    `${compiled} is not what its source compiles to: run this without --check`,
  );
  process.exitCode = 1;
}
