import type { SortPlan } from "./sort-plan.ts";

/** Why Spark can't do a job, or not with the bytes that our own engine would write, and the field that says so. */
export interface SparkObstacle {
  readonly field: string;
  readonly why: string;
}

export const notConfigured: SparkObstacle = {
  field: "engine",
  why: "no Spark is configured here",
};

/** Above it Spark would gather the result in one process. */
const maxTop = 100_000;

/**
 * What keeps a job from Spark; undefined where its output there would be ours, byte for byte. `folders` are those that Spark
 * sees too.
 */
export function whyNotSpark(
  plan: SortPlan,
  folders: ReadonlyMap<string, string>,
): SparkObstacle | undefined {
  return (
    ofMode(plan) ??
    ofRecords(plan) ??
    ofKeys(plan) ??
    ofInputs(plan, folders) ??
    ofOutput(plan, folders)
  );
}

function ofMode({ mode, order }: SortPlan): SparkObstacle | undefined {
  if (mode !== "sort") {
    return { field: "spec.mode", why: "Spark only sorts" };
  }
  if (order.unique !== undefined && order.keys.length > 0) {
    const why =
      "Spark does not say which of the lines with equal keys it keeps";
    return { field: "spec.unique", why };
  }
  if ((order.top ?? 0) > maxTop) {
    const why = `on Spark it may be ${maxTop} at most`;
    return { field: "spec.top", why };
  }
  return undefined;
}

function ofRecords({ order: { record } }: SortPlan): SparkObstacle | undefined {
  switch (record.kind) {
    case "lines":
      return (record.delimiter ?? 10) === 10
        ? undefined
        : {
            field: "spec.lines.delimiter",
            why: "on Spark lines end with a line feed",
          };
    case "fixed":
      return { field: "spec.fixed", why: "Spark has no reader for them" };
    case "csv":
    case "ndjson":
      return {
        field: `spec.${record.kind}`,
        why: "Spark would write the records anew, and not byte for byte",
      };
  }
}

function ofKeys({ order }: SortPlan): SparkObstacle | undefined {
  for (const [index, key] of order.keys.entries()) {
    const field = `spec.keys[${index}]`;
    if (key.kind !== "field") return { field, why: "Spark sorts lines only" };
    const type = key.type ?? "bytes";
    if (type !== "bytes" && type !== "number") {
      const why = `Spark can't order by ${type} as we do; bytes and number it can`;
      return { field: `${field}.line.type`, why };
    }
    if (key.foldCase || key.dictionary || key.printable) {
      const option = ["fold_case", "dictionary", "printable"][
        [key.foldCase, key.dictionary, key.printable].indexOf(true)
      ];
      const why = "Spark compares all bytes as they are";
      return { field: `${field}.line.${option}`, why };
    }
    const { start, end, separator } = key;
    const isWhole = start.field === 1 && end === undefined;
    const isPlain =
      start.character === 1 &&
      !start.skipBlanks &&
      !end?.skipBlanks &&
      (end === undefined || (end.field === start.field && end.character === 0));
    if (!isPlain) {
      const why = "on Spark a key is a whole field, or goes to the line's end";
      return { field: `${field}.line`, why };
    }
    if (!isWhole && separator === undefined) {
      const why = "on Spark fields have a separator";
      return { field: `${field}.line.separator`, why };
    }
  }
  return undefined;
}

function ofInputs(
  { inputs }: SortPlan,
  folders: ReadonlyMap<string, string>,
): SparkObstacle | undefined {
  for (const [index, input] of inputs.entries()) {
    const field = `inputs[${index}]`;
    if (input.kind !== "path") {
      return { field, why: "Spark reads folders, not files or URLs of others" };
    }
    if (!folders.has(input.folder)) {
      return { field, why: `Spark does not see the folder ${input.folder}` };
    }
    if (!isPlainPath(input.path)) {
      const why =
        "Spark takes *, ?, [], {}, \\ and a leading _ or . for its own";
      return { field: `${field}.path`, why };
    }
    if (
      input.compression === "gzip" ||
      input.compression === "zstd" ||
      isUnpackedBySpark(input.path)
    ) {
      return {
        field,
        why: "Spark could not read it in parts: unpack it first",
      };
    }
  }
  return undefined;
}

function ofOutput(
  { output }: SortPlan,
  folders: ReadonlyMap<string, string>,
): SparkObstacle | undefined {
  const field = "output";
  if (output?.kind !== "path") {
    return { field, why: "Spark writes into folders" };
  }
  if (!folders.has(output.folder)) {
    return { field, why: `Spark does not see the folder ${output.folder}` };
  }
  if (output.compression !== "none") {
    return { field: `${field}.compression`, why: "Spark writes plain lines" };
  }
  if (!isPlainPath(output.path)) {
    const why = "Spark takes *, ?, [], {}, \\ and a leading _ or . for its own";
    return { field: `${field}.path`, why };
  }
  return undefined;
}

function isPlainPath(path: string): boolean {
  return !/[*?[\]{}\\]|(^|\/)[._]/.test(path);
}

/** By its name alone. */
function isUnpackedBySpark(path: string): boolean {
  return /\.(gz|gzip|bz2|zst|zstd|snappy|lz4|deflate|lzo)$/i.test(path);
}
