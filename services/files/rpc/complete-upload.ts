import type { ServiceImpl } from "@connectrpc/connect";
import type { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/complete-upload.ts";
import { fileId } from "./file-name.ts";
import { fileToProto } from "./file-to-proto.ts";

export function completeUpload(
  deps: app.CompleteUploadDeps,
): ServiceImpl<typeof FilesService>["completeUpload"] {
  return async ({ name, parts, sha256 }, context) => {
    const file = await app.completeUpload(
      deps,
      {
        owner: callerOf(context),
        id: fileId(name),
        parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
        sha256: sha256.length > 0 ? sha256 : undefined,
      },
      context.signal,
    );
    return { file: fileToProto(file) };
  };
}
