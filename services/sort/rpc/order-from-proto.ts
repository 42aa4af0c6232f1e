import {
  SortSpec_Mode,
  SortSpec_Unique,
  LineKey_Type,
  NullsOrder,
  ValueType,
  type SortKey as SortKeyMessage,
  type SortSpec,
} from "../../../gen/ts/weft/sort/v1/sort_spec_pb.ts";
import type { RecordOrder, SortPlan } from "../domain/sort-plan.ts";
import { specInvalid } from "../domain/sort-refusals.ts";

type Key = RecordOrder["keys"][number];
type LineKey = Extract<Key, { kind: "field" }>;
type ValueKey = Extract<Key, { kind: "column" }>;

// The contract lets defined values through only; the types of its enums are open.
const modes: Readonly<Record<number, SortPlan["mode"]>> = {
  [SortSpec_Mode.UNSPECIFIED]: "sort",
  [SortSpec_Mode.SORT]: "sort",
  [SortSpec_Mode.MERGE]: "merge",
  [SortSpec_Mode.CHECK]: "check",
};

export function modeOf(spec: SortSpec | undefined): SortPlan["mode"] {
  return modes[spec?.mode ?? SortSpec_Mode.SORT] ?? "sort";
}

const uniques: Readonly<Record<number, RecordOrder["unique"]>> = {
  [SortSpec_Unique.UNSPECIFIED]: undefined,
  [SortSpec_Unique.FIRST]: "first",
  [SortSpec_Unique.LAST]: "last",
};

/** A spec as the engine takes it. @throws DomainError SPEC_INVALID where keys and records do not fit. */
export function orderFromProto(spec: SortSpec | undefined): RecordOrder {
  if (!spec) {
    return {
      record: { kind: "lines" },
      keys: [],
      reverse: false,
      stable: false,
      unique: undefined,
      top: undefined,
    };
  }
  const record = recordOf(spec);
  const keys = spec.keys.map(keyOf);
  for (const [index, key] of keys.entries()) {
    const wanted = keyKinds[record.kind];
    if (key.kind !== wanted) {
      throw specInvalid(
        `spec.keys[${index}]`,
        wanted
          ? `records of this kind have keys of the kind ${wanted}`
          : "fixed records state their key themselves",
      );
    }
  }
  if (keys.length === 0 && keyKinds[record.kind] && record.kind !== "lines") {
    throw specInvalid("spec.keys", "records of this kind need a key");
  }
  return {
    record,
    keys,
    reverse: spec.reverse,
    stable: spec.stable,
    unique: uniques[spec.unique],
    top: spec.top === 0n ? undefined : Number(spec.top),
  };
}

const keyKinds = {
  lines: "field",
  fixed: undefined,
  csv: "column",
  ndjson: "path",
} as const;

function recordOf({ record }: SortSpec): RecordOrder["record"] {
  switch (record.case) {
    case undefined:
      return { kind: "lines" };
    case "lines": {
      const { delimiter } = record.value;
      return {
        kind: "lines",
        ...(delimiter !== undefined && { delimiter }),
      };
    }
    case "fixed": {
      const { recordBytes, keyOffset, keyBytes } = record.value;
      return { kind: "fixed", bytes: recordBytes, keyOffset, keyBytes };
    }
    case "csv": {
      const { separator, header } = record.value;
      return { kind: "csv", header, ...(separator !== "" && { separator }) };
    }
    case "ndjson":
      return { kind: "ndjson" };
  }
}

function keyOf({ source }: SortKeyMessage): Key {
  switch (source.case) {
    case "line":
      return lineKeyOf(source.value);
    case "column": {
      const { column, ...order } = source.value;
      return {
        kind: "column",
        column: column.value ?? 1,
        ...valueOrderOf(order),
      };
    }
    case "path":
      return {
        kind: "path",
        path: source.value.path,
        ...valueOrderOf(source.value),
      };
    case undefined:
      throw new Error("the contract asks for a key's source");
  }
}

type LineKeyMessage = Extract<
  SortKeyMessage["source"],
  { case: "line" }
>["value"];

function lineKeyOf(key: LineKeyMessage): LineKey {
  const { start, end, separator } = key;
  return {
    kind: "field",
    start: start
      ? {
          field: start.field,
          character: start.character || 1,
          skipBlanks: start.skipBlanks,
        }
      : { field: 1, character: 1 },
    ...(end && {
      end: {
        field: end.field,
        character: end.character,
        skipBlanks: end.skipBlanks,
      },
    }),
    ...(separator !== undefined && { separator }),
    type: lineTypes[key.type] ?? "bytes",
    foldCase: key.foldCase,
    dictionary: key.dictionary,
    printable: key.printable,
    // A key that does not say so goes the way of the spec.
    ...(key.reverse && { reverse: true }),
  };
}

const lineTypes: Readonly<Record<number, LineKey["type"] & string>> = {
  [LineKey_Type.UNSPECIFIED]: "bytes",
  [LineKey_Type.BYTES]: "bytes",
  [LineKey_Type.NUMBER]: "number",
  [LineKey_Type.GENERAL]: "general",
  [LineKey_Type.HUMAN]: "human",
  [LineKey_Type.MONTH]: "month",
  [LineKey_Type.VERSION]: "version",
};

function valueOrderOf(order: {
  type: ValueType;
  descending: boolean;
  nulls: NullsOrder;
}): Pick<ValueKey, "type" | "descending" | "nulls"> {
  return {
    type: valueTypes[order.type] ?? "text",
    ...(order.descending && { descending: true }),
    nulls: nullsOrders[order.nulls] ?? "last",
  };
}

const valueTypes: Readonly<Record<number, ValueKey["type"] & string>> = {
  [ValueType.UNSPECIFIED]: "text",
  [ValueType.TEXT]: "text",
  [ValueType.NUMBER]: "number",
  [ValueType.VERSION]: "version",
  [ValueType.FOLDED_TEXT]: "folded-text",
};

const nullsOrders: Readonly<Record<number, ValueKey["nulls"] & string>> = {
  [NullsOrder.UNSPECIFIED]: "last",
  [NullsOrder.FIRST]: "first",
  [NullsOrder.LAST]: "last",
  [NullsOrder.ERROR]: "error",
};
