import type * as S3 from "@aws-sdk/client-s3";
import type { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { Secret } from "../../platform/runtime/config.ts";
import { partsDiffer, storeUnavailable } from "../domain/file-refusals.ts";
import { objectKey, type StoredFile } from "../domain/file.ts";
import type { Signed, Signing } from "../domain/signed.ts";

export interface ObjectStoreOptions {
  readonly endpoint: string;
  /** The address by which users reach the store; what is signed for them names it. */
  readonly publicEndpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
}

export interface FoundObject {
  readonly sizeBytes: bigint;
  readonly etag: string;
}

export interface SentPart {
  readonly partNumber: number;
  readonly etag: string;
}

type File = Pick<StoredFile, "id" | "contentType" | "sizeBytes">;

/** What the service does with objects. @throws DomainError OBJECT_STORE_UNAVAILABLE. */
export interface ObjectStore {
  signPut(file: File, signing: Signing): Promise<Signed>;
  signPart(
    file: File,
    part: { uploadId: string; partNumber: number; sizeBytes: bigint },
    signing: Signing,
  ): Promise<Signed>;
  signGet(file: StoredFile, signing: Signing): Promise<Signed>;
  beginParts(file: File): Promise<string>;
  /** False where there is no such upload: it was completed or aborted before. @throws DomainError PART_INVALID. */
  completeParts(
    file: File,
    uploadId: string,
    parts: readonly SentPart[],
  ): Promise<boolean>;
  /** Forgets an upload in parts that nobody uses. */
  dropParts(file: Pick<StoredFile, "id">, uploadId: string): Promise<void>;
  find(file: File): Promise<FoundObject | undefined>;
  /** The first bytes, up to `length`. */
  head(file: File, length: number): Promise<Uint8Array>;
  read(file: File, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Removes the object and every upload in parts under its key. */
  remove(file: Pick<StoredFile, "id">): Promise<void>;
}

/**
 * The object store behind an S3 API. The SDK (16 MB resident) is loaded at the first call, and the bucket made where it is
 * missing.
 */
export function createObjectStore(options: ObjectStoreOptions): ObjectStore {
  const { bucket } = options;
  let opening: Promise<Opened> | undefined;
  const open = (): Promise<Opened> => {
    opening ??= openStore(options).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const run = async <T>(work: (store: Opened) => Promise<T>): Promise<T> => {
    try {
      return await work(await open());
    } catch (error) {
      throw isTrouble(error) ? storeUnavailable(error) : error;
    }
  };
  const target = (file: Pick<StoredFile, "id">) => ({
    Bucket: bucket,
    Key: objectKey(file),
  });

  return {
    signPut: (file, signing) =>
      run(async (opened) => {
        const { sdk, sign } = opened;
        const headers = {
          "content-type": file.contentType,
          "content-length": String(file.sizeBytes),
          // Once it is there it stays what was checked, though the URL is good for a while yet.
          "if-none-match": "*",
        };
        const command = new sdk.PutObjectCommand({
          ...target(file),
          ContentType: file.contentType,
          ContentLength: Number(file.sizeBytes),
          IfNoneMatch: "*",
        });
        const url = await sign(opened[signing.reach], command, {
          expiresIn: signing.seconds,
          signingDate: signing.at,
          signableHeaders: new Set(["host", ...Object.keys(headers)]),
          unhoistableHeaders: new Set(Object.keys(headers)),
        });
        return signed("PUT", url, headers, signing);
      }),
    signPart: (file, { uploadId, partNumber, sizeBytes }, signing) =>
      run(async (opened) => {
        const { sdk, sign } = opened;
        const headers = { "content-length": String(sizeBytes) };
        const command = new sdk.UploadPartCommand({
          ...target(file),
          UploadId: uploadId,
          PartNumber: partNumber,
          ContentLength: Number(sizeBytes),
        });
        const url = await sign(opened[signing.reach], command, {
          expiresIn: signing.seconds,
          signingDate: signing.at,
          signableHeaders: new Set(["host", "content-length"]),
        });
        return signed("PUT", url, headers, signing);
      }),
    signGet: (file, signing) =>
      run(async (opened) => {
        const { sdk, sign } = opened;
        const command = new sdk.GetObjectCommand({
          ...target(file),
          ResponseContentType: file.contentType,
          // Never shown in a page of the store's own origin, whatever it holds.
          ResponseContentDisposition: `attachment; filename*=UTF-8''${encodeRfc8187(file.displayName)}`,
        });
        const url = await sign(opened[signing.reach], command, {
          expiresIn: signing.seconds,
          signingDate: signing.at,
        });
        return signed("GET", url, {}, signing);
      }),
    beginParts: (file) =>
      run(async ({ sdk, inside }) => {
        const { UploadId } = await inside.send(
          new sdk.CreateMultipartUploadCommand({
            ...target(file),
            ContentType: file.contentType,
          }),
        );
        if (!UploadId) throw new Error("the object store named no upload");
        return UploadId;
      }),
    completeParts: (file, uploadId, parts) =>
      run(async ({ sdk, inside }) => {
        try {
          await inside.send(
            new sdk.CompleteMultipartUploadCommand({
              ...target(file),
              UploadId: uploadId,
              MultipartUpload: {
                Parts: parts.map(({ partNumber, etag }) => ({
                  PartNumber: partNumber,
                  ETag: etag,
                })),
              },
            }),
          );
          return true;
        } catch (error) {
          if (nameOf(error) === "NoSuchUpload") return false;
          if (badParts.has(nameOf(error))) throw partsDiffer(file);
          throw error;
        }
      }),
    find: (file) =>
      run(async ({ sdk, inside }) => {
        try {
          const found = await inside.send(
            new sdk.HeadObjectCommand(target(file)),
          );
          return {
            sizeBytes: BigInt(found.ContentLength ?? 0),
            etag: found.ETag ?? "",
          };
        } catch (error) {
          if (statusOf(error) === 404) return undefined;
          throw error;
        }
      }),
    head: (file, length) =>
      run(async ({ sdk, inside }) => {
        if (file.sizeBytes === 0n) return new Uint8Array();
        const { Body } = await inside.send(
          new sdk.GetObjectCommand({
            ...target(file),
            Range: `bytes=0-${length - 1}`,
          }),
        );
        return Body ? await Body.transformToByteArray() : new Uint8Array();
      }),
    read: (file, signal) =>
      run(async ({ sdk, inside }) => {
        const { Body } = await inside.send(
          new sdk.GetObjectCommand(target(file)),
          { abortSignal: signal },
        );
        // In Node the SDK's body is a Readable.
        return Body as unknown as AsyncIterable<Uint8Array>;
      }),
    dropParts: (file, uploadId) =>
      run(({ sdk, inside }) =>
        abortParts({ sdk, inside }, { ...target(file), UploadId: uploadId }),
      ),
    remove: (file) =>
      run(async ({ sdk, inside }) => {
        await inside.send(new sdk.DeleteObjectCommand(target(file)));
        const { Uploads = [] } = await inside.send(
          new sdk.ListMultipartUploadsCommand({
            Bucket: bucket,
            Prefix: objectKey(file),
          }),
        );
        for (const { Key, UploadId } of Uploads) {
          await abortParts({ sdk, inside }, { Bucket: bucket, Key, UploadId });
        }
      }),
  };
}

/** Drops what was uploaded in parts. One that is gone already is no fault. */
async function abortParts(
  { sdk, inside }: Pick<Opened, "sdk" | "inside">,
  upload: S3.AbortMultipartUploadCommandInput,
): Promise<void> {
  await inside
    .send(new sdk.AbortMultipartUploadCommand(upload))
    .catch((error: unknown) => {
      if (nameOf(error) !== "NoSuchUpload") throw error;
    });
}

interface Opened {
  readonly sdk: typeof S3;
  readonly sign: typeof getSignedUrl;
  readonly inside: S3.S3Client;
  readonly outside: S3.S3Client;
}

async function openStore(options: ObjectStoreOptions): Promise<Opened> {
  const [sdk, { getSignedUrl: sign }] = await Promise.all([
    import("@aws-sdk/client-s3"),
    import("@aws-sdk/s3-request-presigner"),
  ]);
  const client = (endpoint: string) =>
    new sdk.S3Client({
      endpoint,
      region: options.region,
      forcePathStyle: true,
      credentials: {
        accessKeyId: options.accessKeyId,
        secretAccessKey: options.secretAccessKey.reveal(),
      },
      maxAttempts: 3,
      // A checksum of an empty body would become a part of every signature.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
  const inside = client(options.endpoint);
  await inside
    .send(new sdk.HeadBucketCommand({ Bucket: options.bucket }))
    .catch(async (error: unknown) => {
      if (statusOf(error) !== 404) throw error;
      await inside.send(
        new sdk.CreateBucketCommand({ Bucket: options.bucket }),
      );
    });
  return { sdk, sign, inside, outside: client(options.publicEndpoint) };
}

function signed(
  method: Signed["method"],
  url: string,
  headers: Signed["headers"],
  { at, seconds }: Signing,
): Signed {
  return {
    method,
    url,
    headers,
    expiresAt: new Date(at.getTime() + seconds * 1000),
  };
}

const badParts: ReadonlySet<string> = new Set([
  "InvalidPart",
  "InvalidPartOrder",
  "EntityTooSmall",
]);

/** No answer, or one that says that the store itself is in trouble. */
function isTrouble(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined ? isNetworkError(error) : status >= 500;
}

function isNetworkError(error: unknown): boolean {
  return (
    error instanceof Error &&
    ("code" in error || error.name === "TimeoutError") &&
    error.name !== "DomainError"
  );
}

function statusOf(error: unknown): number | undefined {
  // The SDK's errors carry what they know of the HTTP answer.
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** RFC 8187: what may not stand in an extended parameter value is percent-encoded. */
function encodeRfc8187(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
