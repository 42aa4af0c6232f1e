import type { JournalEntry } from "../../deploy/local/payment-provider/journal.ts";
import type { PaymentIntent } from "../../deploy/local/payment-provider/payment-intent.ts";

/** What really happened to an order's money, as the payment provider tells it. */
export interface Money {
  readonly authorizations: number;
  readonly captures: number;
  /** Minor units that are held now. */
  readonly held: number;
  readonly refunds: number;
}

const NOTHING: Money = { authorizations: 0, captures: 0, held: 0, refunds: 0 };

/** Reads the provider's whole journal; the money by the order's name. */
export async function moneyByOrder(
  providerUrl: string,
): Promise<Map<string, Money>> {
  const money = new Map<string, Money>();
  const intents = new Map<string, PaymentIntent>();
  for (const { type, payment_intent: intent } of await journal(providerUrl)) {
    if (!intent) continue;
    intents.set(intent.id, intent);
    const before = money.get(orderOf(intent)) ?? NOTHING;
    money.set(orderOf(intent), {
      ...before,
      authorizations:
        before.authorizations + Number(type === "payment_intent.authorized"),
      captures: before.captures + Number(type === "payment_intent.captured"),
      refunds: before.refunds + Number(type === "refund.created"),
    });
  }
  for (const intent of intents.values()) {
    const sum = money.get(orderOf(intent)) ?? NOTHING;
    const held = sum.held + intent.amount_capturable;
    money.set(orderOf(intent), { ...sum, held });
  }
  return money;
}

/** How often money of an order is held or taken at the same time: never more than once. */
export async function liveAuthorizations(
  providerUrl: string,
): Promise<Map<string, number>> {
  const live = new Map<string, Set<string>>();
  const most = new Map<string, number>();
  for (const { payment_intent: intent } of await journal(providerUrl)) {
    if (!intent) continue;
    const order = orderOf(intent);
    const ids = live.get(order) ?? new Set();
    live.set(order, ids);
    const isLive =
      intent.status === "requires_capture" || intent.status === "succeeded";
    if (isLive) ids.add(intent.id);
    else ids.delete(intent.id);
    most.set(order, Math.max(most.get(order) ?? 0, ids.size));
  }
  return most;
}

/** What happened to the money of one order. */
export async function moneyOf(
  providerUrl: string,
  order: string,
): Promise<Money> {
  return (await moneyByOrder(providerUrl)).get(order) ?? NOTHING;
}

async function journal(providerUrl: string): Promise<JournalEntry[]> {
  const log = await fetch(`${providerUrl}/log`, {
    signal: AbortSignal.timeout(10_000),
  });
  const lines = (await log.text()).split("\n").filter(Boolean);
  // The provider wrote the lines, as JournalEntries.
  return lines.map((line) => JSON.parse(line) as JournalEntry);
}

/** Payments have their order's id. */
function orderOf(intent: PaymentIntent): string {
  return `orders/${intent.metadata["payment_id"]}`;
}
