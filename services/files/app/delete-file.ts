import type { Database } from "../../platform/data/database.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { ObjectStore } from "../clients/object-store.ts";
import { fileNotFound, wrongState } from "../domain/file-refusals.ts";
import type { Owner, StoredFile } from "../domain/file.ts";
import { findFile, forgetFile, markDeleting } from "../store/files.ts";
import type { Announce } from "./announce.ts";

export interface DeleteFileDeps {
  readonly db: Database;
  readonly objects: ObjectStore;
  readonly announce: Announce;
  readonly logger: Logger;
  readonly now: () => Date;
}

/** Takes a file from its owner, and removes its bytes. @throws DomainError FILE_NOT_FOUND. */
export async function deleteFile(
  deps: DeleteFileDeps,
  owner: Owner,
  id: string,
): Promise<void> {
  if (!(await take(deps, owner, id, "deleted"))) {
    throw fileNotFound(id);
  }
  await removeBytes(deps, id);
}

/** Gives up an upload. One that is gone already is no fault. @throws DomainError FILE_STATE for a file that is ready. */
export async function abortUpload(
  deps: DeleteFileDeps,
  owner: Owner,
  id: string,
): Promise<void> {
  const file = await findFile(deps.db, owner, id);
  if (file?.state === "ready") {
    throw wrongState(file, "delete it");
  }
  if (file && (await take(deps, owner, id, "aborted"))) {
    await removeBytes(deps, id);
  }
}

function take(
  deps: DeleteFileDeps,
  owner: Owner,
  id: string,
  cause: "deleted" | "aborted",
): Promise<StoredFile | undefined> {
  return deps.db.transaction(async (tx) => {
    const file = await markDeleting(tx, owner, id, deps.now());
    if (file) {
      await deps.announce(tx, { type: "FileDeleted", file, cause });
    }
    return file;
  });
}

/** The sweeper does what fails here. */
async function removeBytes(deps: DeleteFileDeps, id: string): Promise<void> {
  try {
    await deps.objects.remove({ id });
    await forgetFile(deps.db, id);
  } catch (error) {
    deps.logger.warn({ err: error, file: id }, "bytes are left to the sweeper");
  }
}
