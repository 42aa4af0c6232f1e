import {
  createClient,
  ConnectError,
  type Transport,
} from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import type { SignedRequest } from "../../../gen/ts/weft/files/v1/file_pb.ts";
import { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import { actFor } from "../../platform/rpc/act-for.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { BegunFile, SentPart, SignedUrl } from "../domain/work-order.ts";

/** For whom a job acts. */
export interface Owner {
  readonly tenant: string;
  readonly subject: string;
}

/** The Files service, as jobs use it. Its refusals become failures of the job. */
export interface Files {
  signDownload(owner: Owner, file: string): Promise<SignedUrl>;
  sizeOf(owner: Owner, file: string): Promise<number>;
  /** Begins a file once for one request id, however often it is called. */
  begin(
    owner: Owner,
    requestId: string,
    file: { displayName: string; contentType: string; sizeBytes: number },
  ): Promise<BegunFile>;
  signParts(
    owner: Owner,
    file: string,
    partNumbers: readonly number[],
  ): Promise<SignedUrl[]>;
  complete(
    owner: Owner,
    file: string,
    parts: readonly SentPart[],
  ): Promise<void>;
  abort(owner: Owner, file: string): Promise<void>;
}

/** Long enough for whatever a job reads in one piece; a URL that expires is signed anew. */
const downloadTtl = { seconds: 3_600n, nanos: 0 };

export function filesClient(transport: Transport): Files {
  const client = createClient(FilesService, transport);
  return {
    async signDownload(owner, name) {
      const { download } = await told(
        client.createDownload({ name, ttl: downloadTtl }, actFor(owner)),
        "INPUT_MISSING",
      );
      return signedUrl(download);
    },
    async sizeOf(owner, name) {
      const { file } = await client.getFile({ name }, actFor(owner));
      return Number(file?.sizeBytes ?? 0n);
    },
    async begin(owner, requestId, stated) {
      const file = { ...stated, sizeBytes: BigInt(stated.sizeBytes) };
      try {
        const begun = await client.createUpload(
          { file, multipart: true, requestId },
          actFor(owner),
        );
        return {
          file: begun.file?.name ?? "",
          isComplete: false,
          partBytes: Number(begun.multipart?.partSizeBytes),
          partCount: begun.multipart?.partCount ?? 0,
        };
      } catch (error) {
        const info = infoOf(error);
        if (info?.reason === "FILE_STATE") {
          const name = info.metadata["file"] ?? "";
          return { file: name, isComplete: true, partBytes: 0, partCount: 0 };
        }
        throw asFailure(error, "OUTPUT_FAILED");
      }
    },
    async signParts(owner, name, partNumbers) {
      const { parts } = await told(
        client.signUploadParts(
          { name, partNumbers: [...partNumbers] },
          actFor(owner),
        ),
        "OUTPUT_FAILED",
      );
      return parts.map(signedUrl);
    },
    async complete(owner, name, parts) {
      const sent = parts.map(({ partNumber, etag }) => ({ partNumber, etag }));
      await told(
        client.completeUpload({ name, parts: sent }, actFor(owner)),
        "OUTPUT_FAILED",
      );
    },
    async abort(owner, name) {
      await client.abortUpload({ name }, actFor(owner));
    },
  };
}

async function told<T>(call: Promise<T>, reason: string): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw asFailure(error, reason);
  }
}

/** A refusal of Files, as the job's; anything else passes, and the job is tried again. */
function asFailure(error: unknown, reason: string): unknown {
  const info = infoOf(error);
  if (!(error instanceof ConnectError) || !info) return error;
  if (!refusals.has(info.reason)) return error;
  return new DomainError({
    code: "failed_precondition",
    reason,
    message: error.rawMessage,
    metadata: { ...info.metadata, files_reason: info.reason },
    cause: error,
  });
}

const refusals: ReadonlySet<string> = new Set([
  "FILE_NOT_FOUND",
  "FILE_STATE",
  "FILE_TOO_LARGE",
  "CONTENT_TYPE_REFUSED",
  "QUOTA_EXCEEDED",
  "CONTENT_MISMATCH",
  "SIZE_MISMATCH",
  "PART_INVALID",
  "INVALID_FIELD",
]);

function infoOf(error: unknown) {
  return error instanceof ConnectError
    ? error.findDetails(ErrorInfoSchema)[0]
    : undefined;
}

function signedUrl(signed: SignedRequest | undefined): SignedUrl {
  if (!signed) throw new Error("Files signed nothing");
  return { url: signed.url, headers: signed.headers };
}
