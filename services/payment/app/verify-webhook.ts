import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "../../platform/runtime/config.ts";
import {
  webhookExpired,
  webhooksDisabled,
  webhookSignatureInvalid,
} from "../domain/webhook-refusals.ts";

/** How old a signature may be, and how far ahead the sender's clock. Stripe's own tolerance. */
const toleranceSeconds = 300;
/** More are not looked at: each costs a comparison with each secret. */
const maxSignatures = 8;

export interface SignedWebhook {
  /** `t=<seconds>,v1=<hex>[,v1=<hex>]`, as Stripe signs (https://docs.stripe.com/webhooks#verify-manually). */
  readonly signature: string | undefined;
  /** Exactly the bytes that were sent. */
  readonly body: Uint8Array;
}

/**
 * Makes sure that a webhook was sent by somebody who has one of the secrets, just now. Several secrets are good at once, so
 * that one can be replaced by another.
 *
 * @throws DomainError WEBHOOKS_DISABLED, WEBHOOK_SIGNATURE_INVALID, WEBHOOK_EXPIRED.
 */
export function verifyWebhook(
  { signature, body }: SignedWebhook,
  secrets: readonly Secret[],
  now: Date,
): void {
  if (secrets.length === 0) throw webhooksDisabled();
  const { time, signatures } = parseSignature(signature ?? "");
  const isSigned = secrets.some((secret) => {
    const wanted = createHmac("sha256", secret.reveal())
      .update(`${time}.`)
      .update(body)
      .digest();
    return signatures.some((given) => timingSafeEqual(wanted, given));
  });
  if (!isSigned) throw webhookSignatureInvalid();
  const age = now.getTime() / 1_000 - Number(time);
  if (Math.abs(age) > toleranceSeconds) throw webhookExpired();
}

function parseSignature(header: string) {
  const pairs = header.split(",").map((pair) => pair.trim().split("=", 2));
  const valuesOf = (wanted: string) =>
    pairs.flatMap(([name, value = ""]) => (name === wanted ? [value] : []));
  const [time = ""] = valuesOf("t");
  const signatures = valuesOf("v1")
    .filter((hex) => /^[0-9a-f]{64}$/.test(hex))
    .slice(0, maxSignatures)
    .map((hex) => Buffer.from(hex, "hex"));
  if (!/^[0-9]{1,12}$/.test(time) || signatures.length === 0) {
    throw webhookSignatureInvalid();
  }
  return { time, signatures };
}
