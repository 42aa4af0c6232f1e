import { UsageError } from "./usage-error.ts";

const UNITS = "bKMGTPE";

/** A size as GNU's -S has it: a number with b, K, M, G...; without a letter it counts KiB. */
export function parseSize(text: string): number {
  const match = /^([0-9]+)([bKMGTPE]?)$/.exec(text);
  if (!match) throw new UsageError(`${JSON.stringify(text)} is not a size`);
  const [, digits = "0", unit = ""] = match;
  const power = unit === "" ? 1 : UNITS.indexOf(unit);
  return Number(digits) * 1024 ** power;
}
