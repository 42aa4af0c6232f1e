import type { Database } from "../../platform/data/database.ts";
import type { ObjectStore } from "../clients/object-store.ts";
import type { Reach, Signed } from "../domain/signed.ts";
import { fileNotFound, wrongState } from "../domain/file-refusals.ts";
import type { Owner, StoredFile } from "../domain/file.ts";
import { findFile, listFilesAfter } from "../store/files.ts";

export interface ReadFilesDeps {
  readonly db: Database;
  readonly objects: ObjectStore;
  readonly now: () => Date;
}

/** A file of this owner's. @throws DomainError FILE_NOT_FOUND, whether there is none or it is another's. */
export async function getFile(
  deps: ReadFilesDeps,
  owner: Owner,
  id: string,
): Promise<StoredFile> {
  const file = await findFile(deps.db, owner, id);
  if (!file) {
    throw fileNotFound(id);
  }
  return file;
}

/** One page of an owner's files, and whether there is another. */
export async function listFiles(
  deps: ReadFilesDeps,
  owner: Owner,
  after: { createdAt: Date; id: string } | undefined,
  pageSize: number,
): Promise<{ files: StoredFile[]; isMore: boolean }> {
  // One more than asked for tells whether there is a next page.
  const found = await listFilesAfter(deps.db, owner, after, pageSize + 1);
  return {
    files: found.slice(0, pageSize),
    isMore: found.length > pageSize,
  };
}

/** Signs a URL that reads a file. @throws DomainError FILE_NOT_FOUND or FILE_STATE. */
export async function createDownload(
  deps: ReadFilesDeps,
  owner: Owner,
  id: string,
  { seconds, reach }: { seconds: number; reach: Reach },
): Promise<{ file: StoredFile; download: Signed }> {
  const file = await getFile(deps, owner, id);
  if (file.state !== "ready") {
    throw wrongState(file, "complete its upload first");
  }
  const signing = { at: deps.now(), seconds, reach };
  const download = await deps.objects.signGet(file, signing);
  return { file, download };
}
