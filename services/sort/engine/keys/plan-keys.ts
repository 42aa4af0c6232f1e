import type { KernelOrder } from "../kernel/kernel.ts";
import { sortError } from "../sort-error.ts";
import type { LineKey, SortKey, SortSpec } from "../sort-spec.ts";
import type { KeyPlan } from "./key-plan.ts";

export interface OrderPlan {
  readonly order: KernelOrder;
  readonly keys: KeyPlan;
}

/** How the kernel orders the records of a spec, and how they get their keys. `header` names a CSV's columns. */
export function planOrder(
  spec: SortSpec,
  header: readonly string[] = [],
): OrderPlan {
  switch (spec.record.kind) {
    case "lines":
      return planLines(spec, spec.record.delimiter ?? 10);
    case "fixed":
      return {
        order: {
          ...plainOrder(spec),
          layout: "fixed",
          recordBytes: spec.record.bytes,
          keyOffset: spec.record.keyOffset,
          keyBytes: spec.record.keyBytes,
        },
        keys: { kind: "none", isAnywhere: false },
      };
    case "csv":
      return planColumns(spec, spec.record.separator ?? ",", header);
    case "ndjson":
      return {
        order: { ...plainOrder(spec), layout: "keyed", reverse: false },
        keys: {
          kind: "paths",
          isAnywhere: true,
          keys: keysOf(spec, "path").map((key) => directed(spec, key)),
        },
      };
  }
}

function plainOrder(spec: SortSpec): KernelOrder {
  return {
    layout: "lines",
    delimiter: 10,
    recordBytes: 0,
    keyOffset: 0,
    keyBytes: 0,
    reverse: spec.reverse ?? false,
    tie: "none",
    unique: spec.unique ?? "no",
    hashing: false,
  };
}

function planLines(spec: SortSpec, delimiter: number): OrderPlan {
  const keys = keysOf(spec, "field");
  const isLastResort = spec.stable !== true && spec.unique === undefined;
  const tie = !isLastResort
    ? "none"
    : spec.reverse
      ? "reversed-bytes"
      : "bytes";
  const [key] = keys;
  const none: KeyPlan = { kind: "none", isAnywhere: true };
  if (key === undefined) {
    return { order: { ...plainOrder(spec), delimiter }, keys: none };
  }
  if (keys.length === 1 && isWholeLine(key) && key.type === "number") {
    const reverse = key.reverse ?? spec.reverse ?? false;
    return {
      order: {
        ...plainOrder(spec),
        layout: "numeric",
        delimiter,
        reverse,
        tie,
      },
      keys: none,
    };
  }
  return {
    order: {
      ...plainOrder(spec),
      layout: "keyed",
      delimiter,
      reverse: false,
      tie,
    },
    keys: {
      kind: "fields",
      isAnywhere: true,
      delimiter,
      keys,
      reverse: spec.reverse ?? false,
    },
  };
}

function isWholeLine(key: LineKey): boolean {
  const { start, end } = key;
  return start.field === 1 && start.character === 1 && end === undefined;
}

function planColumns(
  spec: SortSpec,
  separator: string,
  header: readonly string[],
): OrderPlan {
  const keys = keysOf(spec, "column").map((key) => ({
    ...directed(spec, key),
    index:
      typeof key.column === "number"
        ? key.column - 1
        : columnIndex(header, key.column),
  }));
  return {
    order: { ...plainOrder(spec), layout: "keyed", reverse: false },
    keys: {
      kind: "columns",
      isAnywhere: false,
      separator: separator.charCodeAt(0),
      keys,
    },
  };
}

function directed<K extends { readonly descending?: boolean }>(
  spec: SortSpec,
  key: K,
): K & { readonly descending: boolean } {
  return { ...key, descending: key.descending ?? spec.reverse ?? false };
}

function columnIndex(header: readonly string[], name: string): number {
  const index = header.indexOf(name);
  if (index < 0) {
    throw sortError(
      "KEY_ABSENT",
      `the header has no column ${JSON.stringify(name)}`,
      { field: "keys", metadata: { column: name } },
    );
  }
  return index;
}

function keysOf<K extends SortKey["kind"]>(
  spec: SortSpec,
  kind: K,
): Extract<SortKey, { kind: K }>[] {
  const keys = spec.keys ?? [];
  const isKind = (key: SortKey): key is Extract<SortKey, { kind: K }> =>
    key.kind === kind;
  const fitting = keys.filter(isKind);
  if (fitting.length !== keys.length) {
    throw sortError(
      "SPEC_INVALID",
      `records of this kind have keys of the kind "${kind}" only`,
      { field: "keys" },
    );
  }
  return fitting;
}
