import { DomainError } from "../../platform/runtime/errors.ts";
import type { SortInput } from "../engine/sort-spec.ts";
import type { OrderedInput, SignedUrl } from "../domain/work-order.ts";
import {
  bytesOf,
  idleMs,
  pause,
  request,
  Transient,
  withAttempts,
} from "./http-request.ts";
import type { Service } from "./parent-link.ts";
import { refusalOf } from "./refused-url.ts";

/**
 * Opens an input behind a URL: asks for its size and ETag, and for its first bytes if they have to tell how it is
 * compressed. What is not compressed is read in ranges, by several readers at once; the rest in order. A connection that
 * breaks, or is silent for `silentMs`, goes on where it was, and always with the same ETag.
 *
 * @throws DomainError INPUT_MISSING, INPUT_FORBIDDEN, INPUT_UNREADABLE or URL_EXPIRED.
 */
export async function openRemote(
  input: OrderedInput,
  index: number,
  service: Service,
  signal: AbortSignal,
  silentMs = idleMs,
): Promise<SortInput> {
  const source = remoteSource(input.name, index, service, silentMs);
  const { size, etag, head } = await source.look(signal);
  const compression =
    input.compression === "auto" ? sniff(head) : input.compression;
  const read = (start: number, end: number, until: AbortSignal) =>
    source.read({ start, end, etag }, until);
  if (compression === "none") {
    return { kind: "ranges", name: input.name, size, version: etag, read };
  }
  return {
    kind: "stream",
    name: input.name,
    open: (until) => read(0, size, until),
    compression,
    version: `${size} ${etag}`,
  };
}

interface Found {
  readonly size: number;
  readonly etag: string;
  readonly head: Uint8Array;
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly etag: string;
}

function remoteSource(
  name: string,
  index: number,
  service: Service,
  silentMs: number,
) {
  let signed: Promise<SignedUrl> | undefined;
  // A URL of our own files is signed anew when it has expired; one of the caller's can't be.
  const urlOf = () =>
    (signed ??= service.ask({
      what: "input-url",
      input: index,
    }) as Promise<SignedUrl>);
  const unreadable = (cause: Error) =>
    fault("INPUT_UNREADABLE", `${name} can't be read: ${cause.message}`, name);
  const get = async (
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Response> => {
    const asked = urlOf();
    const { url, headers: own } = await asked;
    const response = await request(
      { method: "GET", url, headers: { ...own, ...headers } },
      signal,
    );
    const refusal = await refusalOf(response, signal);
    if (!refusal) return response;
    const why = answers(refusal.status);
    if (refusal.isOfUrl) {
      if (signed === asked) signed = undefined;
      const fresh = await urlOf();
      if (fresh.url !== url) throw new Transient(why);
    }
    throw refusal.isExpired ? expired(name, index) : unreadable(new Error(why));
  };
  return {
    look: (signal: AbortSignal): Promise<Found> =>
      withAttempts(
        async (until) => {
          const response = await get({ range: "bytes=0-3" }, until);
          return await found(response, name, until);
        },
        unreadable,
        signal,
      ),
    async *read(range: Range, signal: AbortSignal): AsyncGenerator<Uint8Array> {
      let at = range.start;
      for (let failures = 0; at < range.end;) {
        try {
          const response = await get(
            {
              range: `bytes=${at}-${range.end - 1}`,
              "if-match": range.etag,
            },
            signal,
          );
          refuse(response, name, range.etag);
          for await (const bytes of bytesOf(response, signal, silentMs)) {
            const wanted = bytes.subarray(0, range.end - at);
            at += wanted.length;
            failures = 0;
            yield wanted;
          }
          if (at < range.end) throw new Transient("the body ended early");
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof Transient)) throw error;
          failures += 1;
          if (failures > 5) throw unreadable(error);
          await pause(failures, signal);
        }
      }
    },
  };
}

async function found(
  response: Response,
  name: string,
  signal: AbortSignal,
): Promise<Found> {
  const etag = response.headers.get("etag");
  if (response.status === 404) {
    await response.body?.cancel();
    throw fault("INPUT_MISSING", `${name} is not there`, name);
  }
  const total = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  const isEmpty =
    response.status === 416 || response.headers.get("content-length") === "0";
  if (isEmpty) {
    await response.body?.cancel();
    return { size: 0, etag: etag ?? '"empty"', head: new Uint8Array() };
  }
  if (response.status !== 206 || !total || !etag || etag.startsWith("W/")) {
    await response.body?.cancel();
    const why =
      response.status === 206 || response.status === 200
        ? "its server answers no ranges with a strong ETag"
        : answers(response.status);
    throw fault("INPUT_UNREADABLE", `${name} can't be read: ${why}`, name);
  }
  const head: Uint8Array[] = [];
  for await (const bytes of bytesOf(response, signal)) head.push(bytes);
  return { size: Number(total[1]), etag, head: Buffer.concat(head) };
}

function refuse(response: Response, name: string, etag: string): void {
  if (response.status === 206 && response.headers.get("etag") === etag) return;
  void response.body?.cancel();
  if (response.status === 206 || response.status === 412) {
    throw fault("INPUT_CHANGED", `${name} has changed since it was read`, name);
  }
  if (response.status === 404) {
    throw fault("INPUT_MISSING", `${name} is gone`, name);
  }
  throw fault(
    "INPUT_UNREADABLE",
    `${name} can't be read: ${answers(response.status)}`,
    name,
  );
}

function answers(status: number): string {
  return `its server answers ${status}`;
}

function sniff(head: Uint8Array): "none" | "gzip" | "zstd" {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  const zstd = [0x28, 0xb5, 0x2f, 0xfd];
  return zstd.every((byte, at) => head[at] === byte) ? "zstd" : "none";
}

function expired(name: string, index: number): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "URL_EXPIRED",
    message: `the URL of ${name} is refused: it has expired, or was never good`,
    metadata: { input: name, position: String(index) },
  });
}

function fault(reason: string, message: string, input: string): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason,
    message,
    metadata: { input },
  });
}
