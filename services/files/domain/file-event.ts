import type { StoredFile } from "./file.ts";

export type DeletionCause = "deleted" | "aborted" | "abandoned" | "expired";

/** What others are told of a file. */
export type FileEvent =
  | { readonly type: "FileUploaded"; readonly file: StoredFile }
  | {
      readonly type: "FileDeleted";
      readonly file: StoredFile;
      readonly cause: DeletionCause;
    };
