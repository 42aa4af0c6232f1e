import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/create-upload.ts";
import { partCount } from "../domain/file.ts";
import { fileToProto, signedToProto } from "./file-to-proto.ts";
import { reachOf } from "./reach.ts";

export function createUpload(
  deps: app.CreateUploadDeps,
): ServiceImpl<typeof FilesService>["createUpload"] {
  return async ({ file: stated, multipart, requestId }, context) => {
    const owner = callerOf(context);
    const { file, upload } = await app.createUpload(
      deps,
      {
        owner,
        displayName: stated?.displayName ?? "",
        contentType: stated?.contentType ?? "",
        sizeBytes: stated?.sizeBytes ?? 0n,
        expiresAt: stated?.expireTime && timestampDate(stated.expireTime),
        isMultipart: multipart,
        reach: reachOf(owner),
      },
      requestId || undefined,
    );
    const { partBytes, sizeBytes } = file;
    return {
      file: fileToProto(file),
      ...(upload && { upload: signedToProto(upload) }),
      ...(partBytes !== undefined && {
        multipart: {
          partSizeBytes: partBytes,
          partCount: partCount(sizeBytes, partBytes),
        },
      }),
    };
  };
}
