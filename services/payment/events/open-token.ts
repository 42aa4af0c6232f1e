import { createDecipheriv, createHash } from "node:crypto";
import type { Secret } from "../../platform/runtime/config.ts";
import { DomainError } from "../../platform/runtime/errors.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The payment token of a choreographed order, as its event carries it sealed for us: see OrderPlaced.
 *
 * @throws DomainError TOKEN_UNREADABLE where it was sealed by another key or for another order.
 */
export function openToken(
  secret: Secret,
  orderId: string,
  sealed: Uint8Array,
): string {
  const key = createHash("sha256").update(secret.reveal()).digest();
  try {
    const cipher = createDecipheriv(
      "aes-256-gcm",
      key,
      sealed.subarray(0, NONCE_BYTES),
    );
    cipher.setAAD(Buffer.from(orderId));
    cipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const text = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES);
    return Buffer.concat([cipher.update(text), cipher.final()]).toString();
  } catch (cause) {
    throw new DomainError({
      code: "invalid_argument",
      reason: "TOKEN_UNREADABLE",
      message: `the payment token of orders/${orderId} was not sealed for this service`,
      cause,
    });
  }
}
