import { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import type { CompleteUploadDeps } from "../app/complete-upload.ts";
import type { CreateUploadDeps } from "../app/create-upload.ts";
import type { DeleteFileDeps } from "../app/delete-file.ts";
import { completeUpload } from "./complete-upload.ts";
import { createUpload } from "./create-upload.ts";
import { abortUpload, deleteFile } from "./delete-file.ts";
import {
  createDownload,
  getFile,
  listFiles,
  type ReadFilesDeps,
} from "./read-files.ts";
import { signUploadParts } from "./sign-upload-parts.ts";

/** All that the RPCs need together. */
export type FilesDeps = CreateUploadDeps &
  CompleteUploadDeps &
  DeleteFileDeps &
  ReadFilesDeps;

/** The Files service, ready to be served. */
export function filesService(
  deps: FilesDeps,
): MountedService<typeof FilesService> {
  return service(FilesService, {
    createUpload: createUpload(deps),
    signUploadParts: signUploadParts(deps),
    completeUpload: completeUpload(deps),
    abortUpload: abortUpload(deps),
    getFile: getFile(deps),
    listFiles: listFiles(deps),
    deleteFile: deleteFile(deps),
    createDownload: createDownload(deps),
  });
}
