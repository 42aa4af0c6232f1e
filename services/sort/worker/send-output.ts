import { open, type FileHandle } from "node:fs/promises";
import { DomainError } from "../../platform/runtime/errors.ts";
import { withoutQuery } from "../domain/sort-plan.ts";
import type { BegunFile, SentPart, SignedUrl } from "../domain/work-order.ts";
import { request, Transient, withAttempts } from "./http-request.ts";
import type { Service } from "./parent-link.ts";
import { refusalOf, type Refusal } from "./refused-url.ts";

export interface SortedFile {
  readonly kind: "url" | "new-file";
  readonly path: string;
  readonly size: number;
}

/** One PUT carries so much; more needs a file, which goes in parts. */
const maxPutBytes = 512 * 1024 * 1024;
const partsAtOnce = 3;

/**
 * Sends a sorted file to a URL, or makes a file of the caller's of it. It is seen there as a whole or not at all. Returns
 * the file's name, where there is one.
 *
 * @throws DomainError OUTPUT_FAILED or URL_EXPIRED.
 */
export async function sendOutput(
  sorted: SortedFile,
  service: Service,
  signal: AbortSignal,
  tell: (bytesUploaded: number) => void,
): Promise<string | undefined> {
  await using file = await open(sorted.path);
  tell(0);
  if (sorted.kind === "url") {
    await putWhole(file, sorted.size, service, signal);
    tell(sorted.size);
    return undefined;
  }
  // The service answers this question so.
  const begun = (await service.ask({
    what: "begin-file",
    sizeBytes: sorted.size,
  })) as BegunFile;
  if (!begun.isComplete) {
    const parts = await putParts(
      file,
      sorted.size,
      begun,
      service,
      signal,
      tell,
    );
    await service.ask({ what: "complete-file", parts });
  }
  tell(sorted.size);
  return begun.file;
}

async function putWhole(
  file: FileHandle,
  size: number,
  service: Service,
  signal: AbortSignal,
): Promise<void> {
  if (size > maxPutBytes) {
    throw outputFailed(
      `${size} bytes are more than one PUT carries (${maxPutBytes}): let the output be a new file`,
    );
  }
  const body = await slice(file, 0, size);
  await put(
    // The service answers this question so.
    async () => (await service.ask({ what: "output-url" })) as SignedUrl,
    body,
    (url, { status, isExpired }) =>
      isExpired ? expired(url) : answered(status),
    signal,
  );
}

async function putParts(
  file: FileHandle,
  size: number,
  { partBytes, partCount }: BegunFile,
  service: Service,
  signal: AbortSignal,
  tell: (bytesUploaded: number) => void,
): Promise<SentPart[]> {
  const sent: SentPart[] = [];
  let next = 1;
  let bytesUploaded = 0;
  const sendSome = async () => {
    while (next <= partCount) {
      const partNumber = next;
      next += 1;
      const start = (partNumber - 1) * partBytes;
      const body = await slice(file, start, Math.min(partBytes, size - start));
      const etag = await put(
        async () => {
          // The service answers this question so.
          const [signed] = (await service.ask({
            what: "sign-parts",
            partNumbers: [partNumber],
          })) as SignedUrl[];
          if (!signed) throw new Error("no part was signed");
          return signed;
        },
        body,
        // Ours to sign: one that has expired meanwhile is signed anew.
        (_, { status, isOfUrl }) =>
          isOfUrl
            ? new Transient("the store refuses its URL")
            : answered(status),
        signal,
      );
      sent.push({ partNumber, etag });
      bytesUploaded += body.length;
      tell(bytesUploaded);
    }
  };
  await Promise.all(Array.from({ length: partsAtOnce }, sendSome));
  return sent;
}

async function slice(
  file: FileHandle,
  start: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(buffer, at, length - at, start + at);
    if (bytesRead === 0) throw new Error("the sorted file has become shorter");
    at += bytesRead;
  }
  return buffer;
}

/** Sends bytes to the URL that `sign` answers, which is asked anew for each attempt. `refused` says what a refusal means. */
function put(
  sign: () => Promise<SignedUrl>,
  body: Buffer,
  refused: (url: string, refusal: Refusal) => Error,
  signal: AbortSignal,
): Promise<string> {
  return withAttempts(
    async (until) => {
      const { url, headers } = await sign();
      // `fetch` states the length by itself.
      const { "content-length": _, ...others } = headers;
      const response = await request(
        { method: "PUT", url, headers: others, body },
        until,
      );
      const refusal = await refusalOf(response, until);
      if (refusal) throw refused(url, refusal);
      await response.body?.cancel();
      if (response.ok) return response.headers.get("etag") ?? "";
      throw answered(response.status);
    },
    (cause) => outputFailed(cause.message),
    signal,
  );
}

function expired(url: string): DomainError {
  const output = withoutQuery(url);
  return new DomainError({
    code: "failed_precondition",
    reason: "URL_EXPIRED",
    message: `the URL of the output ${output} is refused: it has expired, or was never good`,
    metadata: { output },
  });
}

function answered(status: number): DomainError {
  return outputFailed(`its server answers ${status}`);
}

function outputFailed(why: string): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "OUTPUT_FAILED",
    message: `the output can't be sent: ${why}`,
  });
}
