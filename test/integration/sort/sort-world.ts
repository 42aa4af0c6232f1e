import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sortFile } from "../../../services/sort/engine/sort-file.ts";
import type { SortOptions } from "../../../services/sort/engine/sort-options.ts";
import type { SortSpec } from "../../../services/sort/engine/sort-spec.ts";

export interface SortWorld extends Disposable {
  readonly folder: string;
  path(name: string): string;
  write(name: string, bytes: string | Uint8Array): string;
  read(name: string): Buffer;
  /** Sorts `in` to `out`; the test's own process is large, so the budget counts the job alone. */
  sort(
    spec: Omit<SortSpec, "inputs" | "output"> & Partial<SortSpec>,
    options?: Partial<SortOptions>,
  ): ReturnType<typeof sortFile>;
  /** What GNU sort makes of `in`, in bytes. */
  gnu(...flags: string[]): Promise<Buffer>;
}

export function createSortWorld(): SortWorld {
  const folder = mkdtempSync(join(tmpdir(), "weft-sort-"));
  const path = (name: string) => join(folder, name);
  return {
    folder,
    path,
    write(name, bytes) {
      writeFileSync(path(name), bytes);
      return path(name);
    },
    read: (name) => readFileSync(path(name)),
    sort: (spec, options) =>
      sortFile(
        {
          inputs: [{ kind: "file", path: path("in") }],
          output: { kind: "file", path: path("out") },
          ...spec,
        },
        {
          jobFolder: path("job"),
          memory: { bytes: 128 << 20, counts: "job" },
          workers: 2,
          ...options,
        },
      ),
    gnu: (...flags) => gnuSort([...flags, path("in")]),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export async function gnuSort(args: readonly string[]): Promise<Buffer> {
  const child = spawn("sort", args, {
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  const code = await new Promise<number | null>((resolve) =>
    child.on("close", resolve),
  );
  if (code !== 0) throw new Error(`sort ${args.join(" ")} ended with ${code}`);
  return Buffer.concat(pieces);
}

export function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
