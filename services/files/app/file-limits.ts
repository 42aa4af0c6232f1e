/** What the service takes, and for how long. */
export interface FileLimits {
  readonly maxBytes: bigint;
  /** Media types that are taken; `text/*` stands for all of its kind, and `*` for all. */
  readonly contentTypes: readonly string[];
  readonly filesPerOwner: number;
  readonly uploadsPerOwner: number;
  /** How long a URL for an upload is good for. */
  readonly uploadUrlSeconds: number;
  /** When an upload that nobody completed is swept. */
  readonly uploadTtlMs: number;
}

/** S3's limit of one PUT. */
export const maxSinglePutBytes = 5n * 1024n ** 3n;

/** A larger file is not read for its checksum. */
export const maxChecksumBytes = 4n * 1024n ** 3n;

export function takesType(limits: FileLimits, contentType: string): boolean {
  return limits.contentTypes.some(
    (pattern) =>
      pattern === "*" ||
      pattern === contentType ||
      (pattern.endsWith("/*") && contentType.startsWith(pattern.slice(0, -1))),
  );
}
