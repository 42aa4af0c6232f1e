import type { PathKey } from "../sort-spec.ts";
import { RecordFault, type Extractor } from "./extractor.ts";
import { extractLines } from "./field-extractor.ts";
import {
  decodeString,
  findValue,
  JsonFault,
  parsePath,
  type PathStep,
} from "./json-scan.ts";
import type { KeyWriter, Span } from "./key-writer.ts";
import { putField, type ValueRule } from "./value-key.ts";

const LF = 10;
const QUOTE = 34;
const BACKSLASH = 92;

interface Path extends ValueRule {
  readonly steps: readonly PathStep[];
}

/** One JSON object a line, with keys by path. */
export function createPathExtractor(keys: readonly PathKey[]): Extractor {
  const paths = keys.map((key) => ({
    ...key,
    name: key.path,
    // `checkSpec` has refused what is no path.
    steps: parsePath(key.path) ?? [],
  }));
  return {
    delimiter: LF,
    extract: (kernel, input, room) =>
      extractLines(kernel, input, room, LF, (writer, line) =>
        putPaths(writer, line, paths),
      ),
  };
}

function putPaths(writer: KeyWriter, line: Span, paths: readonly Path[]): void {
  try {
    for (const path of paths) {
      const value = findValue(line, path.steps);
      const text = value && contentOf(value, path);
      putField(writer, text, path, line.from);
    }
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new RecordFault("INPUT_MALFORMED", line.from, error.message, {
      cause: error,
    });
  }
}

/** A string's text; of all else the JSON itself. A string is no number, whatever it holds. */
function contentOf(value: Span, path: Path): Span {
  const { view, from, to } = value;
  if (view.getUint8(from) !== QUOTE) return value;
  if (path.type === "number") throw new JsonFault(`${path.name} is a string`);
  for (let at = from; at < to; at++) {
    if (view.getUint8(at) === BACKSLASH) return textSpan(decodeString(value));
  }
  return { view, from: from + 1, to: to - 1 };
}

function textSpan(text: string): Span {
  const bytes = Buffer.from(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { view, from: 0, to: bytes.length };
}
