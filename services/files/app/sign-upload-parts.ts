import type { Database } from "../../platform/data/database.ts";
import type { ObjectStore } from "../clients/object-store.ts";
import type { Reach, Signed } from "../domain/signed.ts";
import {
  fileNotFound,
  partInvalid,
  wrongState,
} from "../domain/file-refusals.ts";
import { partCount, type Owner, type StoredFile } from "../domain/file.ts";
import { findFile, setUploadId } from "../store/files.ts";
import type { FileLimits } from "./file-limits.ts";

export interface SignUploadPartsDeps {
  readonly db: Database;
  readonly objects: ObjectStore;
  readonly limits: FileLimits;
  readonly now: () => Date;
}

/** Signs a URL for each of these parts. @throws DomainError FILE_NOT_FOUND, FILE_STATE or PART_INVALID. */
export async function signUploadParts(
  deps: SignUploadPartsDeps,
  owner: Owner,
  id: string,
  { partNumbers, reach }: { partNumbers: readonly number[]; reach: Reach },
): Promise<Signed[]> {
  const file = await findFile(deps.db, owner, id);
  if (!file) {
    throw fileNotFound(id);
  }
  if (file.state !== "uploading") {
    throw wrongState(file, "its upload is complete");
  }
  const { partBytes } = file;
  if (partBytes === undefined) {
    throw partInvalid(file, "it is not uploaded in parts");
  }
  const count = partCount(file.sizeBytes, partBytes);
  const beyond = partNumbers.find((number) => number > count);
  if (beyond !== undefined) {
    throw partInvalid(file, `it has ${count} parts, and no part ${beyond}`);
  }
  const uploadId = await uploadOf(deps, file);
  const signing = {
    at: deps.now(),
    seconds: deps.limits.uploadUrlSeconds,
    reach,
  };
  return Promise.all(
    partNumbers.map((partNumber) => {
      const start = BigInt(partNumber - 1) * partBytes;
      const rest = file.sizeBytes - start;
      const sizeBytes = rest < partBytes ? rest : partBytes;
      const part = { uploadId, partNumber, sizeBytes };
      return deps.objects.signPart(file, part, signing);
    }),
  );
}

/** Begins the upload in parts with the first of them. Of two at once one wins, and what the other began is dropped. */
async function uploadOf(
  deps: SignUploadPartsDeps,
  file: StoredFile,
): Promise<string> {
  if (file.uploadId !== undefined) {
    return file.uploadId;
  }
  const begun = await deps.objects.beginParts(file);
  if (await setUploadId(deps.db, file.id, undefined, begun)) {
    return begun;
  }
  // What fails here goes with the file.
  await deps.objects.dropParts(file, begun).catch(() => undefined);
  const owner = { tenant: file.tenant, subject: file.owner };
  const now = await findFile(deps.db, owner, file.id);
  if (now?.uploadId === undefined) {
    throw fileNotFound(file.id);
  }
  return now.uploadId;
}
