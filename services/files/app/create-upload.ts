import { createHash } from "node:crypto";
import type { Database } from "../../platform/data/database.ts";
import type { ObjectStore } from "../clients/object-store.ts";
import type { Reach, Signed } from "../domain/signed.ts";
import {
  expiryPassed,
  quotaExceeded,
  requestIdReused,
  tooLarge,
  typeRefused,
  wrongState,
} from "../domain/file-refusals.ts";
import { partBytesFor, type Owner, type StoredFile } from "../domain/file.ts";
import { countFiles, findFileOfRequest, insertFile } from "../store/files.ts";
import {
  maxSinglePutBytes,
  takesType,
  type FileLimits,
} from "./file-limits.ts";

export interface CreateUploadDeps {
  readonly db: Database;
  readonly objects: ObjectStore;
  readonly limits: FileLimits;
  readonly newId: () => string;
  readonly now: () => Date;
}

export interface CreateUpload {
  readonly owner: Owner;
  readonly displayName: string;
  readonly contentType: string;
  readonly sizeBytes: bigint;
  readonly expiresAt: Date | undefined;
  readonly isMultipart: boolean;
  /** From where the upload is made. */
  readonly reach: Reach;
}

/**
 * Begins an upload, and signs a URL for it unless it comes in parts. The same request id with the same file signs a new URL
 * for the upload that was begun.
 *
 * @throws DomainError FILE_TOO_LARGE, CONTENT_TYPE_REFUSED, QUOTA_EXCEEDED, REQUEST_ID_REUSED or FILE_STATE.
 */
export async function createUpload(
  deps: CreateUploadDeps,
  command: CreateUpload,
  requestId: string | undefined,
): Promise<{ file: StoredFile; upload: Signed | undefined }> {
  const at = deps.now();
  refuse(deps.limits, command, at);
  const file = await beginFile(deps, command, requestId, at);
  if (file.state !== "uploading") {
    throw wrongState(file, "its upload is complete");
  }
  const upload = command.isMultipart
    ? undefined
    : await deps.objects.signPut(file, {
        at,
        seconds: deps.limits.uploadUrlSeconds,
        reach: command.reach,
      });
  return { file, upload };
}

function refuse(limits: FileLimits, command: CreateUpload, at: Date): void {
  const { sizeBytes, contentType, expiresAt, isMultipart } = command;
  if (sizeBytes > limits.maxBytes) {
    throw tooLarge(sizeBytes, limits.maxBytes, "a file may have");
  }
  if (!isMultipart && sizeBytes > maxSinglePutBytes) {
    throw tooLarge(
      sizeBytes,
      maxSinglePutBytes,
      "one request may carry: upload in parts",
    );
  }
  if (!takesType(limits, contentType)) {
    throw typeRefused(contentType);
  }
  if (expiresAt && expiresAt <= at) {
    throw expiryPassed();
  }
}

async function beginFile(
  deps: CreateUploadDeps,
  command: CreateUpload,
  requestId: string | undefined,
  at: Date,
): Promise<StoredFile> {
  const { owner } = command;
  const requestHash = hashOf(command);
  const repeated = async () => {
    const known =
      requestId && (await findFileOfRequest(deps.db, owner, requestId));
    if (known && !known.requestHash.equals(requestHash)) {
      throw requestIdReused(requestId);
    }
    return known ? known.file : undefined;
  };
  const known = await repeated();
  if (known) {
    return known;
  }
  const { all, uploading } = await countFiles(deps.db, owner);
  if (all >= deps.limits.filesPerOwner) {
    throw quotaExceeded("files", deps.limits.filesPerOwner);
  }
  if (uploading >= deps.limits.uploadsPerOwner) {
    throw quotaExceeded("uploads under way", deps.limits.uploadsPerOwner);
  }
  const file = newFile(command, deps.newId(), at);
  const sweepAt = new Date(at.getTime() + deps.limits.uploadTtlMs);
  const origin = { requestId, requestHash, sweepAt };
  if (await insertFile(deps.db, file, origin)) {
    return file;
  }
  // The same request twice at once: the other one was first.
  const first = await repeated();
  if (!first) throw new Error("a repeated request has no file");
  return first;
}

function newFile(command: CreateUpload, id: string, at: Date): StoredFile {
  const { owner, isMultipart, reach: _, ...stated } = command;
  return {
    ...stated,
    id,
    tenant: owner.tenant,
    owner: owner.subject,
    sha256: undefined,
    state: "uploading",
    partBytes: isMultipart ? partBytesFor(command.sizeBytes) : undefined,
    uploadId: undefined,
    objectEtag: undefined,
    createdAt: at,
    uploadedAt: undefined,
  };
}

function hashOf(command: CreateUpload): Buffer {
  const content = [
    command.displayName,
    command.contentType,
    command.sizeBytes.toString(),
    command.expiresAt?.getTime(),
    command.isMultipart,
  ];
  return createHash("sha256").update(JSON.stringify(content)).digest();
}
