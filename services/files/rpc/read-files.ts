import type { ServiceImpl } from "@connectrpc/connect";
import type { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize, type PageTokens } from "../../platform/rpc/page-token.ts";
import * as app from "../app/read-files.ts";
import { fileId } from "./file-name.ts";
import { fileToProto, signedToProto } from "./file-to-proto.ts";
import { reachOf } from "./reach.ts";

export interface ReadFilesDeps extends app.ReadFilesDeps {
  readonly pageTokens: PageTokens;
}

type Impl = ServiceImpl<typeof FilesService>;

export function getFile(deps: ReadFilesDeps): Impl["getFile"] {
  return async ({ name }, context) => {
    const file = await app.getFile(deps, callerOf(context), fileId(name));
    return { file: fileToProto(file) };
  };
}

export function listFiles(deps: ReadFilesDeps): Impl["listFiles"] {
  return async (request, context) => {
    const owner = callerOf(context);
    const query = {
      method: "ListFiles",
      tenant: owner.tenant,
      subject: owner.subject,
    };
    const [createdAt, id] = request.pageToken
      ? deps.pageTokens.decode(query, request.pageToken)
      : [];
    const after =
      createdAt && id ? { createdAt: new Date(createdAt), id } : undefined;
    const size = pageSize(request.pageSize);
    const { files, isMore } = await app.listFiles(deps, owner, after, size);
    const last = files.at(-1);
    return {
      files: files.map(fileToProto),
      nextPageToken:
        isMore && last
          ? deps.pageTokens.encode(query, [
              last.createdAt.toISOString(),
              last.id,
            ])
          : "",
    };
  };
}

const defaultTtlSeconds = 600;

export function createDownload(deps: ReadFilesDeps): Impl["createDownload"] {
  return async ({ name, ttl }, context) => {
    const seconds = ttl ? Number(ttl.seconds) : defaultTtlSeconds;
    const owner = callerOf(context);
    const { file, download } = await app.createDownload(
      deps,
      owner,
      fileId(name),
      { seconds, reach: reachOf(owner) },
    );
    return { file: fileToProto(file), download: signedToProto(download) };
  };
}
