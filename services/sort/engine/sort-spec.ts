/** What is to be sorted, where from, where to and how: plain data and byte sources, never a comparison function. */
export interface SortSpec {
  /** Sorted together, as if they were one after the other. */
  readonly inputs: readonly SortInput[];
  readonly output: SortOutput;
  readonly record: RecordKind;
  /** The first key that tells two records apart decides. None: the whole record, by its bytes. */
  readonly keys?: readonly SortKey[];
  /** Turns the order of every key without a direction of its own round, and of the last resort. */
  readonly reverse?: boolean;
  /** Records with equal keys stay in input order. Otherwise lines with equal keys are ordered by their bytes, as GNU does. */
  readonly stable?: boolean;
  /** Of records with equal keys, the first or the last in input order is kept. */
  readonly unique?: "first" | "last";
  /** Only so many records, the first of the result. */
  readonly top?: number;
}

export type Compression = "none" | "gzip" | "zstd";

export type SortInput =
  | {
      readonly kind: "file";
      readonly path: string;
      /** "auto" looks at the first bytes, and is what is taken without it. */
      readonly compression?: Compression | "auto";
    }
  /** Bytes that come once and in order: standard input, a gRPC or HTTP stream. They are asked for when a worker has room. */
  | {
      readonly kind: "stream";
      readonly name: string;
      readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
      readonly compression?: Compression | "auto";
      /** What changes when the bytes change, such as an ETag. Without one, a job goes on with whatever comes. */
      readonly version?: string;
    }
  /** Bytes that can be read anywhere, by several readers at once: an object behind ranged GETs. */
  | {
      readonly kind: "ranges";
      readonly name: string;
      readonly size: number;
      /** What changes when the bytes change, such as an ETag. A job is resumed only with the same. */
      readonly version: string;
      /** Yields exactly the bytes from `start` up to and without `end`, in pieces of any size. */
      readonly read: (
        start: number,
        end: number,
        signal: AbortSignal,
      ) => AsyncIterable<Uint8Array>;
    };

export type SortOutput =
  /** Written beside its place and renamed when it is whole. It may be one of the inputs. */
  | {
      readonly kind: "file";
      readonly path: string;
      readonly compression?: Compression;
    }
  /** Written in order. `write` is waited for: that is the backpressure. The bytes are the engine's again once it resolves. */
  | {
      readonly kind: "stream";
      readonly name: string;
      readonly write: (bytes: Uint8Array, signal: AbortSignal) => Promise<void>;
      readonly compression?: Compression;
    };

export type RecordKind =
  /** Bytes up to a delimiter (10, the line feed, if not given). CR and NUL are bytes like others; a last delimiter is added where it is missing. */
  | { readonly kind: "lines"; readonly delimiter?: number }
  /** Records of one length, ordered by the unsigned bytes of a part of them. */
  | {
      readonly kind: "fixed";
      readonly bytes: number;
      readonly keyOffset: number;
      readonly keyBytes: number;
    }
  /** RFC 4180. Rows are put out as they are read, byte for byte. */
  | {
      readonly kind: "csv";
      readonly separator?: string;
      /** The first row of each input names the columns, alike in all, and stays first. */
      readonly header?: boolean;
    }
  /** One JSON object a line. */
  | { readonly kind: "ndjson" };

export type SortKey = LineKey | ColumnKey | PathKey;

/** How the bytes of a line's key are read; the letters are those of GNU sort. */
export type LineKeyType =
  | "bytes"
  /** -n: a decimal of any length at the start. */
  | "number"
  /** -g: as -n, with exponents, infinities and NaN. */
  | "general"
  /** -h: 2K before 1G. */
  | "human"
  /** -M: unknown before JAN to DEC. */
  | "month"
  /** -V: digits inside names count as numbers. */
  | "version";

export interface FieldPosition {
  /** From 1. */
  readonly field: number;
  /** From 1; at an end 0 means the field's last character. */
  readonly character: number;
  /** Blanks at the field's start are not counted. */
  readonly skipBlanks?: boolean;
}

/** A part of a line, as GNU's KEYDEF `-k` states it. */
export interface LineKey {
  readonly kind: "field";
  /** Without one, fields begin where a blank follows a non-blank. */
  readonly separator?: number;
  readonly start: FieldPosition;
  readonly end?: FieldPosition;
  readonly type?: LineKeyType;
  /** -f: a to z count as A to Z. */
  readonly foldCase?: boolean;
  /** -d: only blanks, letters and digits count. */
  readonly dictionary?: boolean;
  /** -i: only printable characters count. Nothing beside `dictionary`, as with GNU. */
  readonly printable?: boolean;
  readonly reverse?: boolean;
}

export type ValueType = "text" | "number" | "version" | "folded-text";

interface ValueOrder {
  readonly type?: ValueType;
  readonly descending?: boolean;
  /** Where records without the value go, whatever the direction. "error" refuses them. Default: "last". */
  readonly nulls?: "first" | "last" | "error";
}

export interface ColumnKey extends ValueOrder {
  readonly kind: "column";
  /** Its name in the header, or its number from 1. An empty field is null unless its type is text. */
  readonly column: string | number;
}

export interface PathKey extends ValueOrder {
  readonly kind: "path";
  /** Names and array indexes, as `customer.addresses[0].city`. Absent and JSON's null are null. */
  readonly path: string;
}
