import type { ColumnKey, PathKey, ValueType } from "../engine/sort-spec.ts";
import type { Ordering } from "./key-def.ts";
import { UsageError } from "./usage-error.ts";

/** `NAME[:RULE...]`, such as `amount:number:desc:nulls-first`; a column may be a number. */
export function parseColumnKey(text: string, global: Ordering): ColumnKey {
  const { name, rules } = readRules(text, global);
  const column = /^[0-9]+$/.test(name) ? Number(name) : name;
  return { kind: "column", column, ...rules };
}

export function parsePathKey(text: string, global: Ordering): PathKey {
  const { name, rules } = readRules(text, global);
  return { kind: "path", path: name, ...rules };
}

interface Rules {
  type?: ValueType;
  descending?: boolean;
  nulls?: "first" | "last" | "error";
}

const WORDS: Readonly<Record<string, Rules>> = {
  text: { type: "text" },
  folded: { type: "folded-text" },
  number: { type: "number" },
  version: { type: "version" },
  asc: { descending: false },
  desc: { descending: true },
  "nulls-first": { nulls: "first" },
  "nulls-last": { nulls: "last" },
  "no-nulls": { nulls: "error" },
};

function readRules(
  text: string,
  global: Ordering,
): { name: string; rules: Rules } {
  const [name = "", ...words] = text.split(":");
  if (name === "") throw new UsageError(`key ${JSON.stringify(text)} is empty`);
  const rules: Rules = globalRules(global);
  for (const word of words) {
    const rule = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
    if (!rule) {
      throw new UsageError(
        `key ${JSON.stringify(text)}: "${word}" is none of ${Object.keys(WORDS).join(", ")}`,
      );
    }
    Object.assign(rules, rule);
  }
  return { name, rules };
}

function globalRules({ type, foldCase }: Ordering): Rules {
  if (type === "version") return { type };
  if (type !== undefined) return { type: "number" };
  return foldCase ? { type: "folded-text" } : {};
}
