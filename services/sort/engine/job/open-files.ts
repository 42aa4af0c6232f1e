import { readdirSync, readFileSync } from "node:fs";

/** For what else the process opens meanwhile. */
const MARGIN = 16;

/** How many more files the process may open. Without bound where the system does not tell (only Linux does here). */
export function openFilesLeft(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    if (soft === undefined) return Infinity;
    return Number(soft) - readdirSync("/proc/self/fd").length - MARGIN;
  } catch {
    // There is no /proc, and nothing to go by.
    return Infinity;
  }
}
