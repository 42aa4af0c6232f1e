import { createHmac } from "node:crypto";

/** Stripe's scheme: `t=<seconds>,v1=HMAC-SHA256(secret, "<seconds>.<payload>")`. */
export function signWebhook(
  payload: string,
  secret: string,
  atMs: number,
): string {
  const time = Math.floor(atMs / 1_000);
  const signature = createHmac("sha256", secret)
    .update(`${time}.${payload}`)
    .digest("hex");
  return `t=${time},v1=${signature}`;
}
