/** A file of a user, and what the service knows of its bytes. */
export interface StoredFile {
  readonly id: string;
  readonly tenant: string;
  readonly owner: string;
  readonly displayName: string;
  readonly contentType: string;
  readonly sizeBytes: bigint;
  readonly sha256: Uint8Array | undefined;
  readonly state: "uploading" | "ready";
  /** The size of every part but the last, where it is uploaded in parts. */
  readonly partBytes: bigint | undefined;
  /** The object store's name of the upload in parts, once there is one. */
  readonly uploadId: string | undefined;
  readonly objectEtag: string | undefined;
  readonly createdAt: Date;
  readonly uploadedAt: Date | undefined;
  /** When its owner wants it to go. */
  readonly expiresAt: Date | undefined;
}

/** Whose files are meant. */
export interface Owner {
  readonly tenant: string;
  readonly subject: string;
}

/** Where a file's bytes lie. Made of the id alone: what users write never becomes a part of a path. */
export function objectKey(file: Pick<StoredFile, "id">): string {
  return `files/${file.id}`;
}

/** How many parts a file has, and so what their numbers may be. */
export function partCount(sizeBytes: bigint, partBytes: bigint): number {
  return Math.max(1, Number((sizeBytes + partBytes - 1n) / partBytes));
}

const MEBIBYTE = 1024n * 1024n;
const MAX_PARTS = 10_000n;

/** The size of a file's parts: 8 MiB, or as much more as keeps them within S3's 10,000. */
export function partBytesFor(sizeBytes: bigint): bigint {
  const needed = (sizeBytes + MAX_PARTS - 1n) / MAX_PARTS;
  const mebibytes = (needed + MEBIBYTE - 1n) / MEBIBYTE;
  return (mebibytes > 8n ? mebibytes : 8n) * MEBIBYTE;
}
