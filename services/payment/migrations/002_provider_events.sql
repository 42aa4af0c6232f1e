-- The payment provider's events, by their own ids: one that comes again is known. The rest is what the event claims.
create table provider_events (
  event_id text primary key,
  type text not null,
  reference text not null,
  tenant text,
  payment_id uuid,
  refunded_amount bigint not null,
  received_at timestamptz not null,
  -- When it is looked at; null once it is done with.
  due_at timestamptz,
  attempts integer not null default 0,
  outcome text,
  check ((due_at is null) = (outcome is not null))
);

create index provider_events_due on provider_events (due_at) where due_at is not null;

create index provider_events_age on provider_events using brin (received_at) with (autosummarize = on);
