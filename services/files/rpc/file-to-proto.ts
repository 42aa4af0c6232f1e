import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  File_State,
  type FileSchema,
  type SignedRequestSchema,
} from "../../../gen/ts/weft/files/v1/file_pb.ts";
import type { Signed } from "../domain/signed.ts";
import type { StoredFile } from "../domain/file.ts";

const states = {
  uploading: File_State.UPLOADING,
  ready: File_State.READY,
} as const;

/** A file as the contract shows it. */
export function fileToProto(
  file: StoredFile,
): MessageInitShape<typeof FileSchema> {
  return {
    name: `files/${file.id}`,
    displayName: file.displayName,
    contentType: file.contentType,
    sizeBytes: file.sizeBytes,
    ...(file.sha256 && { sha256: Uint8Array.from(file.sha256) }),
    state: states[file.state],
    owner: file.owner,
    objectEtag: file.objectEtag ?? "",
    createTime: timestampFromDate(file.createdAt),
    ...(file.uploadedAt && { uploadTime: timestampFromDate(file.uploadedAt) }),
    ...(file.expiresAt && { expireTime: timestampFromDate(file.expiresAt) }),
  };
}

/** A signed request as the contract shows it. */
export function signedToProto(
  signed: Signed,
): MessageInitShape<typeof SignedRequestSchema> {
  return {
    method: signed.method,
    url: signed.url,
    headers: { ...signed.headers },
    expireTime: timestampFromDate(signed.expiresAt),
  };
}
