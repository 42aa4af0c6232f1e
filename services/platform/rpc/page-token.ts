import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Secret } from "../runtime/config.ts";
import { DomainError } from "../runtime/errors.ts";

/** Makes and reads the page tokens of a service's List methods (AIP-158). */
export interface PageTokens {
  /** A token that goes on after `cursor` in the same query. */
  encode(query: unknown, cursor: readonly string[]): string;
  /**
   * The cursor of a token.
   *
   * @throws DomainError PAGE_TOKEN_INVALID where the token is not ours, damaged, or of another query.
   */
  decode(query: unknown, token: string): string[];
}

const cursorShape = z.array(z.string());
const macBytes = 16;

/**
 * Tokens are the cursor, readable to nobody's use, behind an HMAC-SHA256 (cut to 128 bits) over the cursor and the query:
 * what the caller may see is part of the query, so a token can't be carried over to another tenant or filter.
 */
export function createPageTokens(secret: Secret): PageTokens {
  const sign = (query: unknown, payload: string): Buffer =>
    createHmac("sha256", secret.reveal())
      .update(JSON.stringify(query))
      .update("\0")
      .update(payload)
      .digest()
      .subarray(0, macBytes);
  return {
    encode(query, cursor) {
      const payload = JSON.stringify(cursor);
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
        throw invalidToken();
      }
      return cursorShape.parse(JSON.parse(payload));
    },
  };
}

/** How many items a page holds: 50 if the request does not say, 500 at most. */
export function pageSize(requested: number): number {
  return requested === 0 ? 50 : Math.min(requested, 500);
}

function invalidToken(): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "PAGE_TOKEN_INVALID",
    message: "page_token: not a token of this query; begin again without one",
    field: "page_token",
  });
}
