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
import type { Mutation } from "./mutation.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const COPIED = ["services", "gen", "deploy", "proto", "test", "package.json"];

/** A copy of the tree, in which bugs can be planted one after another. */
export interface TreeCopy extends Disposable {
  readonly folder: string;
  /** Until what it answers is disposed of. */
  plant(mutation: Mutation): Disposable;
}

export function copyTree(): TreeCopy {
  const folder = mkdtempSync(join(tmpdir(), "weft-mutation-"));
  for (const name of COPIED) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return {
    folder,
    plant(mutation) {
      const path = join(folder, mutation.file);
      const source = readFileSync(path, "utf8");
      writeFileSync(path, mutated(source, mutation));
      return { [Symbol.dispose]: () => writeFileSync(path, source) };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function mutated(source: string, { file, find, replace }: Mutation): string {
  if (source.split(find).length !== 2) {
    throw new Error(`${file} does not have this once: ${find}`);
  }
  // A function, for `$1` means something to `replace` in a string.
  return source.replace(find, () => replace);
}
