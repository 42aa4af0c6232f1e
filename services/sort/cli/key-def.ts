import type { LineKey, LineKeyType } from "../engine/sort-spec.ts";
import { UsageError } from "./usage-error.ts";

/** The letters that GNU's options and keys share. */
export interface Ordering {
  skipBlanks?: boolean;
  type?: LineKeyType;
  foldCase?: boolean;
  dictionary?: boolean;
  printable?: boolean;
  reverse?: boolean;
}

const TYPES: Readonly<Record<string, LineKeyType>> = {
  n: "number",
  g: "general",
  h: "human",
  M: "month",
  V: "version",
};

/** `F[.C][OPTS][,F[.C][OPTS]]`; a key without letters of its own has those of the command line. */
export function parseKeyDef(
  text: string,
  separator: number | undefined,
  global: Ordering,
): LineKey {
  const match =
    /^([0-9]+)(?:\.([0-9]+))?([a-zA-Z]*)(?:,([0-9]+)(?:\.([0-9]+))?([a-zA-Z]*))?$/.exec(
      text,
    );
  if (!match) throw bad(text, "it is not F[.C][OPTS][,F[.C][OPTS]]");
  const [, field, character, letters = "", endField, endCharacter, more = ""] =
    match;
  const own = readLetters(letters + more, text);
  const isOwn = letters + more !== "";
  const rules = isOwn ? own : global;
  const startBlanks = isOwn ? letters.includes("b") : global.skipBlanks;
  const endBlanks = isOwn ? more.includes("b") : global.skipBlanks;
  const { skipBlanks: _both, reverse, ...rest } = rules;
  return {
    kind: "field",
    ...(separator === undefined ? {} : { separator }),
    start: {
      field: position(field, text),
      character: character === undefined ? 1 : position(character, text),
      skipBlanks: startBlanks ?? false,
    },
    ...(endField === undefined
      ? {}
      : {
          end: {
            field: position(endField, text),
            character: Number(endCharacter ?? 0),
            skipBlanks: endBlanks ?? false,
          },
        }),
    ...rest,
    reverse: reverse ?? false,
  };
}

function readLetters(letters: string, text: string): Ordering {
  const rules: Ordering = {};
  for (const letter of letters) {
    const type = TYPES[letter];
    if (type) rules.type = type;
    else if (letter === "b") rules.skipBlanks = true;
    else if (letter === "f") rules.foldCase = true;
    else if (letter === "d") rules.dictionary = true;
    else if (letter === "i") rules.printable = true;
    else if (letter === "r") rules.reverse = true;
    else throw bad(text, `there is no option "${letter}"`);
  }
  return rules;
}

function position(digits: string | undefined, text: string): number {
  const number = Number(digits);
  if (number === 0) throw bad(text, "fields and characters count from 1");
  return number;
}

function bad(text: string, why: string): UsageError {
  return new UsageError(`key ${JSON.stringify(text)}: ${why}`);
}
