import type { IncomingMessage } from "node:http";
import { invalidParam, missingParam, ProviderError } from "./provider-error.ts";

const MAX_BODY_BYTES = 64 * 1024;
const MAX_AMOUNT = 999_999_999_999;
const MAX_METADATA = 50;

/** Reads a body to its end; refuses one of more than 64 KiB. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // An IncomingMessage without an encoding yields Buffers.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw bodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A positive whole number of minor units, or undefined where it is left out. */
export function readAmount(
  form: URLSearchParams,
  param: string,
): number | undefined {
  const text = form.get(param);
  if (text === null) return undefined;
  const amount = /^[1-9]\d{0,11}$/.test(text) ? Number(text) : undefined;
  if (amount !== undefined && amount <= MAX_AMOUNT) return amount;
  throw invalidParam(
    param,
    `Invalid integer: ${param} must be from 1 to ${MAX_AMOUNT}.`,
  );
}

export function requireField(form: URLSearchParams, param: string): string {
  const value = form.get(param);
  if (value === null || value === "") throw missingParam(param);
  return value;
}

/** `metadata[key]=value`, as Stripe's clients encode it. */
export function readMetadata(form: URLSearchParams): Record<string, string> {
  const pairs: [string, string][] = [];
  for (const [name, value] of form) {
    const key = /^metadata\[([A-Za-z0-9_]{1,40})\]$/.exec(name)?.[1];
    if (key !== undefined) pairs.push([key, value]);
    else if (name.startsWith("metadata")) {
      throw invalidParam("metadata", `Invalid metadata key: ${name}`);
    }
  }
  if (pairs.length > MAX_METADATA) {
    throw invalidParam("metadata", `More than ${MAX_METADATA} keys.`);
  }
  return Object.fromEntries(pairs);
}

function bodyTooLarge(): ProviderError {
  return new ProviderError({
    status: 413,
    type: "invalid_request_error",
    code: "request_too_large",
    message: `The body is larger than ${MAX_BODY_BYTES} bytes.`,
  });
}
