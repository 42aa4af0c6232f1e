import { createHash } from "node:crypto";
import type { JournalEntry } from "./journal.ts";

/** Stripe's event, as far as one is sent. */
export interface WebhookEvent {
  readonly id: string;
  readonly object: "event";
  /** Seconds since the epoch. */
  readonly created: number;
  readonly type: string;
  readonly data: { readonly object: object };
}

/** What a journal line is announced as; undefined where nobody is told. The same line is the same event, for ever. */
export function eventOf(entry: JournalEntry): WebhookEvent | undefined {
  const { payment_intent: intent } = entry;
  const type = types[entry.type];
  if (type === undefined || intent === undefined) return undefined;
  const line = JSON.stringify(entry);
  const digest = createHash("sha256").update(line).digest("hex");
  const object =
    entry.refund === undefined
      ? intent
      : {
          ...intent,
          id: `ch_${intent.id.slice(3)}`,
          object: "charge",
          payment_intent: intent.id,
        };
  return {
    id: `evt_${digest.slice(0, 24)}`,
    object: "event",
    created: Math.floor(Date.parse(entry.at) / 1_000),
    type,
    data: { object },
  };
}

const types: Readonly<Partial<Record<JournalEntry["type"], string>>> = {
  "payment_intent.authorized": "payment_intent.amount_capturable_updated",
  "payment_intent.declined": "payment_intent.payment_failed",
  "payment_intent.captured": "payment_intent.succeeded",
  "payment_intent.canceled": "payment_intent.canceled",
  "refund.created": "charge.refunded",
};
