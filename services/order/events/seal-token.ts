import { createCipheriv, createHash, randomBytes } from "node:crypto";
import type { Secret } from "../../platform/runtime/config.ts";
import type { SealToken } from "./announce-order.ts";

const NONCE_BYTES = 12;

/** Seals payment tokens for Payment, which has the same secret: they lie in Kafka as long as its topics keep events. */
export function sealTokens(secret: Secret): SealToken {
  const key = createHash("sha256").update(secret.reveal()).digest();
  return (orderId, token) => {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    cipher.setAAD(Buffer.from(orderId));
    const text = cipher.update(token, "utf8");
    return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]);
  };
}
