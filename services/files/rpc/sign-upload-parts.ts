import type { ServiceImpl } from "@connectrpc/connect";
import type { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/sign-upload-parts.ts";
import { fileId } from "./file-name.ts";
import { signedToProto } from "./file-to-proto.ts";
import { reachOf } from "./reach.ts";

export function signUploadParts(
  deps: app.SignUploadPartsDeps,
): ServiceImpl<typeof FilesService>["signUploadParts"] {
  return async ({ name, partNumbers }, context) => {
    const owner = callerOf(context);
    const id = fileId(name);
    const wanted = { partNumbers, reach: reachOf(owner) };
    const parts = await app.signUploadParts(deps, owner, id, wanted);
    return { parts: parts.map(signedToProto) };
  };
}
