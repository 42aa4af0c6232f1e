import type pg from "pg";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";
import { eventually } from "../support/eventually.ts";
import { liveAuthorizations, moneyByOrder } from "../support/provider-log.ts";
import { asAdmin } from "./as-admin.ts";
import { kafkaFaults } from "./check-kafka.ts";
import { leftovers } from "./check-leftovers.ts";
import type { PlacedOrder } from "./place-orders.ts";
import { SCHEMAS } from "./schemas.ts";
import { webhookStats } from "./spoil-webhooks.ts";

const TOPICS = ["weft.order.v1", "weft.inventory.v1", "weft.payment.v1"];
/** An event that failed thrice may be the last to have its effect, in the retry topic of a minute, long after its order is settled by calls. */
const SETTLED_WITHIN_MS = 120_000;
const ABOUT_ORDERS =
  /^weft\.(order\.v1\.|payment\.v1\.Payment|inventory\.v1\.(Stock(Reserved|Confirmed|Released)|ReservationExpired))/;

/**
 * What can't be seen from outside: that the ledger sums to zero and says what the provider says, that every event was
 * published, in the order of its key, and took effect once, and that nothing is left hanging in the database. Without
 * `kafka` the topics themselves are not read.
 *
 * @throws Error that names every fault.
 */
export async function checkInvariants(
  mesh: Mesh,
  placed: readonly PlacedOrder[],
  { kafka = true }: { readonly kafka?: boolean } = {},
): Promise<void> {
  await asAdmin(mesh, async (admin) => {
    // In this order: what had to wait in retry may have told of something just then.
    await eventually(
      "nothing waits in retry, and every event is published and has come back",
      async () =>
        (await leftovers(admin)).length === 0 &&
        (await eventFaults(admin)).length === 0,
      SETTLED_WITHIN_MS,
    ).catch(() => undefined);
    const faults = [
      ...requestFaults(placed),
      ...(await eventFaults(admin)),
      ...(kafka ? await lostInKafka(admin, mesh) : []),
      ...(await ledgerFaults(admin, mesh)),
      ...(await providerFaults(admin, mesh)),
      ...(await stockFaults(admin)),
      ...(await leftovers(admin)),
    ];
    if (faults.length > 0) {
      throw new Error(`invariants are broken:\n${faults.join("\n")}`);
    }
  });
}

function requestFaults(placed: readonly PlacedOrder[]): string[] {
  return placed
    .filter(({ names }) => new Set(names).size !== 1 || names[0] === "")
    .map(({ requestId, names }) => `${requestId} made ${names.join(", ")}`);
}

interface Published {
  readonly id: string;
  readonly type: string;
  readonly published: boolean;
}

async function eventFaults(admin: pg.Client): Promise<string[]> {
  const { rows: timeline } = await admin.query<{ event_id: string }>(
    "select event_id from orders.order_timeline",
  );
  const returned = new Set(timeline.map(({ event_id }) => event_id));
  const faults: string[] = [];
  for (const schema of SCHEMAS) {
    const { rows } = await admin.query<Published>(
      `select id, type, published_at is not null as published from ${schema}.outbox`,
    );
    for (const { id, type, published } of rows) {
      if (!published) faults.push(`${type} ${id} was never published`);
      else if (ABOUT_ORDERS.test(type) && !returned.has(id)) {
        faults.push(`${type} ${id} has not come back`);
      }
    }
  }
  return faults;
}

async function lostInKafka(admin: pg.Client, mesh: Mesh): Promise<string[]> {
  return kafkaFaults(
    { brokers: mesh.components.kafka.brokers, topics: [...TOPICS] },
    await publishedIds(admin),
  );
}

async function publishedIds(admin: pg.Client): Promise<string[]> {
  const ids: string[] = [];
  for (const schema of SCHEMAS) {
    const { rows } = await admin.query<{ id: string }>(
      `select id from ${schema}.outbox where published_at is not null`,
    );
    ids.push(...rows.map(({ id }) => id));
  }
  return ids;
}

async function ledgerFaults(admin: pg.Client, mesh: Mesh): Promise<string[]> {
  const { rows: unbalanced } = await admin.query<{ transaction_id: string }>(`
    select transaction_id
    from payment.ledger_entries
    group by transaction_id, currency
    having sum(amount) <> 0
  `);
  const { rows: accounts } = await admin.query<{
    account: string;
    sum: string;
  }>(
    "select account, sum(amount) as sum from payment.ledger_entries group by account",
  );
  const balance = (account: string) =>
    Number(accounts.find((row) => row.account === account)?.sum ?? 0);
  const money = await moneyByOrder(mesh.paymentProviderUrl);
  const twice = [...money]
    .filter(([, { captures }]) => captures > 1)
    .map(([order, { captures }]) => `${order} was charged ${captures} times`);
  const captured = await capturedAtProvider(mesh.paymentProviderUrl);
  const cash = balance("provider_cash");
  return [
    ...unbalanced.map((row) => `transaction ${row.transaction_id} is not zero`),
    ...twice,
    ...(balance("provider_holds") === 0
      ? []
      : ["the ledger still holds money"]),
    ...(cash === captured
      ? []
      : [`the ledger has ${cash}, the provider captured ${captured}`]),
  ];
}

/** No forged webhook was believed, none was given up, and each order has one live authorization at most. */
async function providerFaults(admin: pg.Client, mesh: Mesh): Promise<string[]> {
  const { forgedAccepted } = await webhookStats(mesh.paymentProviderUrl);
  const { rows } = await admin.query<{ event_id: string }>(
    "select event_id from payment.provider_events where outcome = 'given up'",
  );
  const live = await liveAuthorizations(mesh.paymentProviderUrl);
  return [
    ...(forgedAccepted === 0
      ? []
      : [`${forgedAccepted} forged webhooks were accepted`]),
    ...rows.map(({ event_id }) => `the event ${event_id} was given up`),
    ...[...live]
      .filter(([, count]) => count > 1)
      .map(([order, count]) => `${order} is held ${count} times`),
  ];
}

async function capturedAtProvider(url: string): Promise<number> {
  const log = await fetch(`${url}/log`, {
    signal: AbortSignal.timeout(10_000),
  });
  const lines = (await log.text()).split("\n").filter(Boolean);
  const received = new Map<string, number>();
  for (const line of lines) {
    // The provider writes its intents with these; the last line of an intent is how it stands.
    const { payment_intent: intent } = JSON.parse(line) as {
      payment_intent?: { id: string; amount_received: number };
    };
    if (intent) received.set(intent.id, intent.amount_received);
  }
  return [...received.values()].reduce((sum, amount) => sum + amount, 0);
}

async function stockFaults(admin: pg.Client): Promise<string[]> {
  const { rows } = await admin.query<{ sku: string }>(`
    select stock.sku
    from inventory.stock
    left join lateral (
      select sum(delta) as brought_in
      from inventory.stock_movements
      where stock_movements.tenant = stock.tenant
      and stock_movements.sku = stock.sku
    ) movements on true
    where available + reserved + sold <> coalesce(brought_in, 0)
  `);
  return rows.map(({ sku }) => `${sku}: stock is not what was brought in`);
}
