import type { RecordKind, SortKey } from "../engine/sort-spec.ts";

/** A job as it is carried out: plain data, stored as JSON. */
export interface SortPlan {
  readonly mode: "sort" | "merge" | "check";
  readonly order: RecordOrder;
  readonly inputs: readonly PlannedInput[];
  /** Of every mode but check. */
  readonly output: PlannedOutput | undefined;
  /** The most memory that its caller wants it to take; its share where undefined. */
  readonly memoryBytes: number | undefined;
  readonly engine: "any" | "local" | "spark";
  readonly targetMs: number | undefined;
}

/** How records are found and ordered. */
export interface RecordOrder {
  readonly record: RecordKind;
  readonly keys: readonly SortKey[];
  readonly reverse: boolean;
  readonly stable: boolean;
  readonly unique: "first" | "last" | undefined;
  readonly top: number | undefined;
}

export type PlannedCompression = "auto" | "none" | "gzip" | "zstd";

export type PlannedInput = {
  readonly compression: PlannedCompression;
} & (
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "path"; readonly folder: string; readonly path: string }
);

export type PlannedOutput = {
  readonly compression: "none" | "gzip" | "zstd";
} & (
  | {
      readonly kind: "new-file";
      readonly displayName: string;
      readonly contentType: string;
    }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "path"; readonly folder: string; readonly path: string }
);

/** What an input is called in errors: never with the signature of a URL. */
export function nameOfInput(input: PlannedInput): string {
  switch (input.kind) {
    case "file":
      return input.file;
    case "url":
      return withoutQuery(input.url);
    case "path":
      return `${input.folder}/${input.path}`;
  }
}

/** A URL without what may be secret in it. */
export function withoutQuery(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
