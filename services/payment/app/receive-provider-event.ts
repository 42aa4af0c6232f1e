import { z } from "zod";
import type { Executor } from "../../platform/data/executor.ts";
import type { Secret } from "../../platform/runtime/config.ts";
import { isUuid } from "../../platform/runtime/ids.ts";
import { webhookUnreadable } from "../domain/webhook-refusals.ts";
import { insertProviderEvent } from "../store/provider-events.ts";
import { verifyWebhook, type SignedWebhook } from "./verify-webhook.ts";

export interface ReceiveProviderEventDeps {
  readonly db: Executor;
  readonly webhookSecrets: readonly Secret[];
  readonly now: () => Date;
  /** How long an event waits: what we ourselves ask for is mostly answered by then, and the event tells nothing new. */
  readonly eventDelayMs: number;
}

const eventShape = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  data: z.object({
    object: z.object({
      id: z.string().min(1).max(255),
      /** Of a refund or a charge; an intent is its own. */
      payment_intent: z.string().min(1).max(255).optional(),
      amount_refunded: z.number().int().nonnegative().default(0),
      metadata: z.record(z.string(), z.string()).default({}),
    }),
  }),
});

/** The events that tell of a payment. Others are answered and forgotten. */
const types = new Set([
  "payment_intent.amount_capturable_updated",
  "payment_intent.payment_failed",
  "payment_intent.succeeded",
  "payment_intent.canceled",
  "charge.refunded",
]);

/**
 * Stores a signed event of the provider, once, to be looked at soon: whoever sends it waits for no more than that.
 *
 * @throws DomainError WEBHOOKS_DISABLED, WEBHOOK_SIGNATURE_INVALID, WEBHOOK_EXPIRED, WEBHOOK_UNREADABLE.
 */
export async function receiveProviderEvent(
  deps: ReceiveProviderEventDeps,
  webhook: SignedWebhook,
): Promise<void> {
  const at = deps.now();
  verifyWebhook(webhook, deps.webhookSecrets, at);
  const { id, type, data } = readEvent(webhook.body);
  if (!types.has(type)) return;
  const { metadata, ...object } = data.object;
  const paymentId = metadata["payment_id"] ?? "";
  await insertProviderEvent(deps.db, {
    eventId: id,
    type,
    reference: object.payment_intent ?? object.id,
    tenant: metadata["tenant"],
    paymentId: isUuid(paymentId) ? paymentId : undefined,
    refunded: BigInt(object.amount_refunded),
    receivedAt: at,
    dueAt: new Date(at.getTime() + deps.eventDelayMs),
  });
}

function readEvent(body: Uint8Array): z.infer<typeof eventShape> {
  try {
    return eventShape.parse(JSON.parse(Buffer.from(body).toString("utf8")));
  } catch {
    throw webhookUnreadable();
  }
}
