import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Secret } from "../runtime/config.ts";
import { DomainError } from "../runtime/errors.ts";

/** Makes and reads the tokens with which clients go on: pages of List methods (AIP-158), resumed streams. */
export interface PageTokens {
  /** A token that goes on after `cursor` in the same query. */
  encode(query: unknown, cursor: readonly string[]): string;
  /**
   * The cursor of a token.
   *
   * @throws DomainError PAGE_TOKEN_INVALID where the token is not ours, damaged, or of another query;
   * PAGE_TOKEN_EXPIRED (OUT_OF_RANGE) where it is too old. RESUME_ where they are resume tokens.
   */
  decode(query: unknown, token: string): string[];
}

export interface PageTokenOptions {
  /** What the tokens are for: the request's field is `<kind>_token`. Default `page`. */
  readonly kind?: "page" | "resume";
  /** How long a token is good. Default a day. */
  readonly maxAgeMs?: number;
  readonly now?: () => Date;
}

const payloadShape = z.tuple([z.number().int()], z.string());
const macBytes = 16;

/**
 * Tokens are the cursor and the time, readable to nobody's use, behind an HMAC-SHA256 (cut to 128 bits) over them, the kind
 * and the query: what the caller may see is part of the query, so a token can't be carried over to another tenant or filter.
 */
export function createPageTokens(
  secret: Secret,
  options: PageTokenOptions = {},
): PageTokens {
  const { kind = "page", maxAgeMs = 86_400_000 } = options;
  const now = options.now ?? (() => new Date());
  const sign = (query: unknown, payload: string): Buffer =>
    createHmac("sha256", secret.reveal())
      .update(JSON.stringify([kind, query]))
      .update("\0")
      .update(payload)
      .digest()
      .subarray(0, macBytes);
  return {
    encode(query, cursor) {
      const seconds = Math.floor(now().getTime() / 1_000);
      const payload = JSON.stringify([seconds, ...cursor]);
      return Buffer.concat([
        sign(query, payload),
        Buffer.from(payload),
      ]).toString("base64url");
    },
    decode(query, token) {
      const bytes = Buffer.from(token, "base64url");
      const payload = bytes.subarray(macBytes).toString("utf8");
      const mac = bytes.subarray(0, macBytes);
      if (
        mac.length < macBytes ||
        !timingSafeEqual(mac, sign(query, payload))
      ) {
        throw tokenRefusal(kind, "INVALID");
      }
      const [seconds, ...cursor] = payloadShape.parse(JSON.parse(payload));
      if (now().getTime() - seconds * 1_000 > maxAgeMs) {
        throw tokenRefusal(kind, "EXPIRED");
      }
      return cursor;
    },
  };
}

/** How many items a page holds: 50 if the request does not say, 500 at most. */
export function pageSize(requested: number): number {
  return requested === 0 ? 50 : Math.min(requested, 500);
}

/** A token that is no good, or (any more) for what it is used for. */
export function tokenRefusal(
  kind: "page" | "resume",
  fault: "INVALID" | "EXPIRED",
): DomainError {
  const field = `${kind}_token`;
  const why =
    fault === "INVALID" ? "not a token of this query" : "the token is too old";
  return new DomainError({
    code: fault === "INVALID" ? "invalid_argument" : "out_of_range",
    reason: `${kind.toUpperCase()}_TOKEN_${fault}`,
    message: `${field}: ${why}; begin again without one`,
    field,
  });
}
