import { createHash } from "node:crypto";
import type { StoredAnswer } from "./journal.ts";
import { invalidParam, ProviderError } from "./provider-error.ts";

const MAX_KEY_LENGTH = 255;

/** The keys that are being worked on; bounded by the server's connections. */
export type KeysInFlight = Set<string>;

/** @throws ProviderError for a key that is too long. */
export function readKey(
  header: string | string[] | undefined,
): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === "string" && header.length <= MAX_KEY_LENGTH) {
    return header;
  }
  throw invalidParam(
    "Idempotency-Key",
    `The key is longer than ${MAX_KEY_LENGTH} characters.`,
  );
}

/** What must be the same when a key is used again. */
export function fingerprintOf(
  method: string,
  path: string,
  body: string,
): string {
  return createHash("sha256")
    .update(JSON.stringify([method, path, body]))
    .digest("hex");
}

/**
 * The stored answer of this key, or undefined when it was never answered.
 *
 * @throws ProviderError 400 for the key of another request, 409 while it is worked on.
 */
export function replayOf(
  answers: ReadonlyMap<string, StoredAnswer>,
  inFlight: KeysInFlight,
  key: string,
  fingerprint: string,
): StoredAnswer | undefined {
  const stored = answers.get(key);
  if (stored !== undefined && stored.fingerprint !== fingerprint) {
    throw new ProviderError({
      status: 400,
      type: "idempotency_error",
      code: "idempotency_key_reused",
      message:
        "Keys for idempotent requests can only be used with the parameters they were first used with.",
    });
  }
  if (inFlight.has(key)) {
    throw new ProviderError({
      status: 409,
      type: "idempotency_error",
      code: "idempotency_key_in_use",
      message:
        "There is currently another in-progress request using this Idempotency-Key.",
    });
  }
  return stored;
}
