import type { Executor } from "../../platform/data/executor.ts";

/** An event of the provider, and what it claims. */
export interface ProviderEvent {
  readonly eventId: string;
  readonly type: string;
  /** The provider's id of the payment. */
  readonly reference: string;
  readonly tenant: string | undefined;
  readonly paymentId: string | undefined;
  readonly refunded: bigint;
}

/** Stores an event that is due at `dueAt`. False if it came before. */
export async function insertProviderEvent(
  db: Executor,
  event: ProviderEvent & { readonly receivedAt: Date; readonly dueAt: Date },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into provider_events
       (event_id, type, reference, tenant, payment_id, refunded_amount, received_at, due_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (event_id) do nothing`,
    [
      event.eventId,
      event.type,
      event.reference,
      event.tenant ?? null,
      event.paymentId ?? null,
      event.refunded,
      event.receivedAt,
      event.dueAt,
    ],
  );
  return rowCount === 1;
}

/**
 * Closes a batch of due events that tell nothing new: the payment they claim to be about is where they say, or past it, and
 * nothing about it is open. Most are, and cost neither a call of the provider nor a transaction each.
 */
export async function closeKnownEvents(
  db: Executor,
  now: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `with known as materialized (
       select event_id as known_id
       from provider_events
       join payments on payments.tenant = provider_events.tenant
         and payments.id = provider_events.payment_id
         and payments.provider_reference = provider_events.reference
       where due_at <= $1
         and payments.pending is null
         and case type
           when 'payment_intent.amount_capturable_updated'
             then state in ('AUTHORIZED', 'CAPTURED', 'REFUNDED', 'VOIDED')
           when 'payment_intent.payment_failed' then state = 'DECLINED'
           when 'payment_intent.succeeded' then state in ('CAPTURED', 'REFUNDED')
           when 'payment_intent.canceled' then state = 'VOIDED'
           when 'charge.refunded' then provider_events.refunded_amount <= payments.refunded_amount
           else false
         end
       limit $2
       for update of provider_events skip locked
     )
     update provider_events
     set due_at = null, outcome = 'known'
     from known
     where event_id = known_id`,
    [now, limit],
  );
  return rowCount;
}

/** Takes due events for a while; how often each was taken before this time. */
export async function claimDueEvents(
  db: Executor,
  batch: { readonly now: Date; readonly until: Date; readonly limit: number },
): Promise<(ProviderEvent & { readonly attempts: number })[]> {
  const { rows } = await db.query<{
    event_id: string;
    type: string;
    reference: string;
    tenant: string | null;
    payment_id: string | null;
    refunded_amount: bigint;
    attempts: number;
  }>(
    `with due as materialized (
       select event_id as due_id
       from provider_events
       where due_at <= $1
       order by due_at
       limit $3
       for update skip locked
     )
     update provider_events
     set due_at = $2, attempts = attempts + 1
     from due
     where event_id = due_id
     returning event_id, type, reference, tenant, payment_id, refunded_amount, attempts`,
    [batch.now, batch.until, batch.limit],
  );
  return rows.map((row) => ({
    eventId: row.event_id,
    type: row.type,
    reference: row.reference,
    tenant: row.tenant ?? undefined,
    paymentId: row.payment_id ?? undefined,
    refunded: row.refunded_amount,
    attempts: row.attempts - 1,
  }));
}

/** Notes what came of an event. */
export async function closeEvent(
  db: Executor,
  eventId: string,
  outcome: string,
): Promise<void> {
  await db.query(
    `update provider_events
     set due_at = null, outcome = $2
     where event_id = $1`,
    [eventId, outcome],
  );
}

/** Puts an event off. */
export async function postponeEvent(
  db: Executor,
  eventId: string,
  dueAt: Date,
): Promise<void> {
  await db.query(
    `update provider_events
     set due_at = $2
     where event_id = $1
       and outcome is null`,
    [eventId, dueAt],
  );
}

/** Forgets events that were received before that time and are done with, so many at most. Returns how many. */
export async function pruneProviderEvents(
  db: Executor,
  before: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from provider_events
     where event_id in (
       select event_id
       from provider_events
       where received_at < $1
         and outcome is not null
       limit $2
     )`,
    [before, limit],
  );
  return rowCount;
}
