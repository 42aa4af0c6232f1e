import { parsePath } from "./keys/json-scan.ts";
import { sortError } from "./sort-error.ts";
import type { SortOptions } from "./sort-options.ts";
import type { SortKey, SortSpec } from "./sort-spec.ts";

/** Refuses what no sort can do, naming the field. */
export function checkSpec(spec: SortSpec): void {
  if (spec.inputs.length === 0) {
    throw invalid("inputs", "there must be at least one input");
  }
  if (spec.top !== undefined && !isPositive(spec.top)) {
    throw invalid("top", "it must be a whole number from 1");
  }
  checkRecord(spec);
  for (const [i, key] of (spec.keys ?? []).entries()) {
    checkKey(key, `keys[${i}]`);
  }
}

/** Refuses budgets that are no numbers of bytes or threads. */
export function checkOptions(options: SortOptions): void {
  if (!isPositive(options.memory.bytes)) {
    throw invalid("memory.bytes", "it must be a whole number of bytes");
  }
  const { workers, tempBytes } = options;
  if (workers !== undefined && !(isPositive(workers) && workers <= 64)) {
    throw invalid("workers", "it must be from 1 to 64");
  }
  if (tempBytes !== undefined && !(tempBytes >= 0)) {
    throw invalid("tempBytes", "it must not be negative");
  }
}

function checkRecord({ record, keys = [] }: SortSpec): void {
  switch (record.kind) {
    case "lines":
      if (!isByte(record.delimiter ?? 10)) {
        throw invalid("record.delimiter", "it must be a byte");
      }
      return;
    case "fixed": {
      const { bytes, keyOffset, keyBytes } = record;
      if (!isPositive(bytes) || bytes > 1 << 20) {
        throw invalid("record.bytes", "it must be from 1 to 1048576");
      }
      if (!isPositive(keyBytes) || keyOffset < 0) {
        throw invalid("record.keyBytes", "the key must be within the record");
      }
      if (keyOffset + keyBytes > bytes) {
        throw invalid("record.keyBytes", "the key must be within the record");
      }
      if (keys.length > 0) {
        throw invalid("keys", "fixed records state their key themselves");
      }
      return;
    }
    case "csv":
    case "ndjson":
      if (keys.length === 0) {
        throw invalid("keys", "records of this kind need a key");
      }
      checkSeparator(record.kind === "csv" ? record.separator : undefined);
  }
}

function checkSeparator(separator = ","): void {
  const code = separator.charCodeAt(0);
  const isAscii = separator.length === 1 && code > 0 && code < 128;
  const isPlain = isAscii && !/["\r\n]/.test(separator);
  if (!isPlain) {
    throw invalid(
      "record.separator",
      "it must be one ASCII character, and no quote or line break",
    );
  }
}

function checkKey(key: SortKey, field: string): void {
  switch (key.kind) {
    case "field": {
      const { start, end } = key;
      if (!isPositive(start.field) || !isPositive(start.character)) {
        throw invalid(field, "fields and characters are counted from 1");
      }
      if (end && (!isPositive(end.field) || end.character < 0)) {
        throw invalid(field, "fields are counted from 1");
      }
      return;
    }
    case "column":
      if (typeof key.column === "number" && !isPositive(key.column)) {
        throw invalid(field, "columns are counted from 1");
      }
      return;
    case "path":
      if (key.path === "" || !parsePath(key.path)) {
        throw invalid(field, "a path is names and indexes, as a.b[0]");
      }
  }
}

function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function isByte(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 256;
}

function invalid(field: string, rule: string) {
  return sortError("SPEC_INVALID", `${field}: ${rule}`, { field });
}
