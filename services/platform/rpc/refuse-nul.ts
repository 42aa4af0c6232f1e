import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  isReflectList,
  isReflectMap,
  isReflectMessage,
  pathToString,
  reflect,
  type Path,
} from "@bufbuild/protobuf/reflect";
import { Code, type ConnectError } from "@connectrpc/connect";
import { hasSqlState } from "../data/database-errors.ts";
import { statusError } from "./status.ts";

/** What Postgres says of U+0000 in a text, and in JSON. */
const sqlStates = ["22021", "22P05"];

const rule = "must not contain U+0000, which can't be stored";

/** Whether Postgres refused a U+0000: it keeps none in a text. */
export function isNulRefusal(thrown: unknown): boolean {
  return sqlStates.some((state) => hasSqlState(thrown, state));
}

/**
 * The path of the first text of a message that holds U+0000, as violations have it; undefined where there is none. A
 * map's key is named as its value is.
 */
export function fieldWithNul<Desc extends DescMessage>(
  desc: Desc,
  message: MessageShape<Desc>,
): string | undefined {
  for (const { text, path } of textsOf(reflect(desc, message), [])) {
    if (!text.includes("\0")) continue;
    // A key is written raw, and its NUL would end the text for many a reader.
    return pathToString(path).replaceAll("\0", "\\u0000");
  }
  return undefined;
}

/**
 * Refuses a request for a text that Postgres keeps in no field: INVALID_ARGUMENT. It is looked for when Postgres has refused
 * it: to look ahead would cost every call, and refuse what is never stored.
 */
export function refuseNul(field: string | undefined): ConnectError {
  return statusError({
    code: Code.InvalidArgument,
    reason: "INVALID_FIELD",
    message: `${field ?? "a text"}: ${rule}`,
    violations: field === undefined ? [] : [{ field, description: rule }],
  });
}

interface TextAt {
  readonly text: string;
  readonly path: Path;
}

function* textsOf(value: unknown, path: Path): Generator<TextAt> {
  if (typeof value === "string") {
    yield { text: value, path };
  } else if (isReflectMessage(value)) {
    for (const field of value.fields) {
      if (value.isSet(field)) {
        yield* textsOf(value.get(field), [...path, field]);
      }
    }
  } else if (isReflectList(value)) {
    for (const [index, item] of value.entries()) {
      yield* textsOf(item, [...path, { kind: "list_sub", index }]);
    }
  } else if (isReflectMap(value)) {
    for (const [key, item] of value.entries()) {
      // A key of a map is a text, a number or a flag.
      const at: Path[number] = { kind: "map_sub", key: key as string };
      yield* textsOf(key, [...path, at]);
      yield* textsOf(item, [...path, at]);
    }
  }
}
