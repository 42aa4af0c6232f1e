import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The files, as paths below both folders, that one folder lacks or that differ. Sorted. */
export function differingFiles(one: string, other: string): string[] {
  const names = new Set([...filesBelow(one), ...filesBelow(other)]);
  return [...names]
    .filter((name) => !sameFile(join(one, name), join(other, name)))
    .sort();
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name).slice(folder.length + 1),
    );
}

function sameFile(one: string, other: string): boolean {
  if (!existsSync(one) || !existsSync(other)) return false;
  return readFileSync(one).equals(readFileSync(other));
}
