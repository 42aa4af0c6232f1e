/** As much of a file's start as tells what it is. */
export const sniffBytes = 4096;

interface Signature {
  readonly type: string;
  readonly at: number;
  readonly bytes: readonly number[];
}

// WHATWG MIME Sniffing, section 6, and RFC 8878 for Zstandard; `at` is where the bytes stand.
const signatures: readonly Signature[] = [
  { type: "image/png", at: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a] },
  { type: "image/jpeg", at: 0, bytes: [0xff, 0xd8, 0xff] },
  { type: "image/gif", at: 0, bytes: [0x47, 0x49, 0x46, 0x38] },
  { type: "image/webp", at: 8, bytes: [0x57, 0x45, 0x42, 0x50, 0x56, 0x50] },
  { type: "application/pdf", at: 0, bytes: [0x25, 0x50, 0x44, 0x46, 0x2d] },
  { type: "application/gzip", at: 0, bytes: [0x1f, 0x8b, 0x08] },
  { type: "application/zstd", at: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { type: "application/zip", at: 0, bytes: [0x50, 0x4b, 0x03, 0x04] },
  { type: "video/mp4", at: 4, bytes: [0x66, 0x74, 0x79, 0x70] },
];

/**
 * What a file's first bytes are, where that contradicts its stated type; undefined where they fit. A type with a known
 * signature must have it. Text and JSON may have none of them, and no NUL. HTML passes for nothing else, since browsers
 * would run it. Of other types anything goes.
 */
export function contradiction(
  contentType: string,
  head: Uint8Array,
): string | undefined {
  if (head.length === 0) {
    return signatures.some(({ type }) => type === contentType)
      ? "empty"
      : undefined;
  }
  const found = signatures.find((signature) => matches(signature, head))?.type;
  if (signatures.some(({ type }) => type === contentType)) {
    return found === contentType ? undefined : (found ?? describe(head));
  }
  if (isTextual(contentType)) {
    return (
      found ?? (head.includes(0) ? "binary" : htmlUnless(contentType, head))
    );
  }
  return undefined;
}

function matches({ at, bytes }: Signature, head: Uint8Array): boolean {
  return bytes.every((byte, index) => head[at + index] === byte);
}

function isTextual(contentType: string): boolean {
  return (
    contentType.startsWith("text/") ||
    contentType === "application/json" ||
    contentType === "application/x-ndjson"
  );
}

function describe(head: Uint8Array): string {
  return isHtml(head) ? "text/html" : "something else";
}

function htmlUnless(contentType: string, head: Uint8Array): string | undefined {
  return contentType !== "text/html" && isHtml(head) ? "text/html" : undefined;
}

function isHtml(head: Uint8Array): boolean {
  const start = new TextDecoder("latin1").decode(head.subarray(0, 256));
  return /^\s*<(?:!doctype html|html|head|body|script|iframe)[\s>]/i.test(
    start,
  );
}
