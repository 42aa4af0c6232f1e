import type { ServiceImpl } from "@connectrpc/connect";
import type { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/delete-file.ts";
import { fileId } from "./file-name.ts";

export function deleteFile(
  deps: app.DeleteFileDeps,
): ServiceImpl<typeof FilesService>["deleteFile"] {
  return async ({ name }, context) => {
    await app.deleteFile(deps, callerOf(context), fileId(name));
    return {};
  };
}

export function abortUpload(
  deps: app.DeleteFileDeps,
): ServiceImpl<typeof FilesService>["abortUpload"] {
  return async ({ name }, context) => {
    await app.abortUpload(deps, callerOf(context), fileId(name));
    return {};
  };
}
