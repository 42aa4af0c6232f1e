import { createHash, timingSafeEqual } from "node:crypto";
import type { Database } from "../../platform/data/database.ts";
import type { ObjectStore, SentPart } from "../clients/object-store.ts";
import {
  checksumMismatch,
  contentMismatch,
  fileNotFound,
  objectMissing,
  partInvalid,
  sizeMismatch,
  tooLarge,
} from "../domain/file-refusals.ts";
import { partCount, type Owner, type StoredFile } from "../domain/file.ts";
import { contradiction, sniffBytes } from "../domain/sniff-content.ts";
import { findFile, markReady, setUploadId } from "../store/files.ts";
import type { Announce } from "./announce.ts";
import { maxChecksumBytes } from "./file-limits.ts";

export interface CompleteUploadDeps {
  readonly db: Database;
  readonly objects: ObjectStore;
  readonly announce: Announce;
  readonly now: () => Date;
}

export interface CompleteUpload {
  readonly owner: Owner;
  readonly id: string;
  readonly parts: readonly SentPart[];
  readonly sha256: Uint8Array | undefined;
}

/**
 * Makes a file ready once what was uploaded is what was stated. What is not, is removed, so that it can be sent again. A
 * file that is ready is returned as it is.
 *
 * @throws DomainError FILE_NOT_FOUND, OBJECT_MISSING, SIZE_MISMATCH, CONTENT_MISMATCH, CHECKSUM_MISMATCH or PART_INVALID.
 */
export async function completeUpload(
  deps: CompleteUploadDeps,
  command: CompleteUpload,
  signal: AbortSignal,
): Promise<StoredFile> {
  const { owner, id, sha256 } = command;
  const file = await findFile(deps.db, owner, id);
  if (!file) {
    throw fileNotFound(id);
  }
  if (file.state === "ready") {
    return file;
  }
  if (sha256 && file.sizeBytes > maxChecksumBytes) {
    throw tooLarge(file.sizeBytes, maxChecksumBytes, "are read for a SHA-256");
  }
  await joinParts(deps, file, command.parts);
  const found = await deps.objects.find(file);
  if (!found) {
    throw objectMissing(file);
  }
  const fault =
    (found.sizeBytes === file.sizeBytes
      ? undefined
      : sizeMismatch(file, found.sizeBytes)) ??
    (await contentFault(deps, file)) ??
    (sha256 && (await checksumFault(deps, file, sha256, signal)));
  if (fault) {
    await startOver(deps, file);
    throw fault;
  }
  return deps.db.transaction(async (tx) => {
    const ready = await markReady(tx, id, {
      objectEtag: found.etag,
      sha256,
      at: deps.now(),
    });
    if (ready) {
      // Another call may have found a fault and removed it; from here on none can, as the file's row is ours.
      const still = await deps.objects.find(file);
      if (still?.etag !== found.etag) throw objectMissing(file);
      await deps.announce(tx, { type: "FileUploaded", file: ready });
      return ready;
    }
    // Completed by another call at the same time, or deleted.
    const now = await findFile(tx, owner, id);
    if (!now) throw fileNotFound(id);
    return now;
  });
}

async function joinParts(
  deps: CompleteUploadDeps,
  file: StoredFile,
  parts: readonly SentPart[],
): Promise<void> {
  if (file.partBytes === undefined) {
    if (parts.length > 0) {
      throw partInvalid(file, "it is not uploaded in parts");
    }
    return;
  }
  if (file.uploadId === undefined) {
    throw objectMissing(file);
  }
  const count = partCount(file.sizeBytes, file.partBytes);
  const sorted = parts.toSorted((a, b) => a.partNumber - b.partNumber);
  const isWhole =
    sorted.length === count &&
    sorted.every(({ partNumber }, index) => partNumber === index + 1);
  if (!isWhole) {
    throw partInvalid(file, `all of its ${count} parts have to be named, once`);
  }
  // Where the store knows no such upload, a call before this one has joined it: what is there now decides.
  await deps.objects.completeParts(file, file.uploadId, sorted);
}

async function contentFault(deps: CompleteUploadDeps, file: StoredFile) {
  const head = await deps.objects.head(file, sniffBytes);
  const found = contradiction(file.contentType, head);
  return found === undefined ? undefined : contentMismatch(file, found);
}

async function checksumFault(
  deps: CompleteUploadDeps,
  file: StoredFile,
  stated: Uint8Array,
  signal: AbortSignal,
) {
  const hash = createHash("sha256");
  for await (const bytes of await deps.objects.read(file, signal)) {
    hash.update(bytes);
  }
  return timingSafeEqual(hash.digest(), stated)
    ? undefined
    : checksumMismatch(file);
}

/** Removes what was uploaded, unless another call has made the file ready, and keeps all from doing so meanwhile. */
async function startOver(
  deps: CompleteUploadDeps,
  file: StoredFile,
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const { id, uploadId } = file;
    if (await setUploadId(tx, id, uploadId, undefined)) {
      await deps.objects.remove(file);
    }
  });
}
