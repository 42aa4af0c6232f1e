create table orders (
  id uuid primary key,
  tenant text not null,
  customer text not null,
  request_id uuid,
  request_hash bytea not null,
  state text not null check (state in (
    'placed', 'reserved', 'authorized', 'confirmed', 'completed',
    'rejecting', 'rejected', 'cancelling', 'cancelled'
  )),
  -- Lines are read and written with their order and never alone, so they live in its row.
  lines jsonb not null,
  expected_currency text,
  expected_minor_units bigint,
  total_currency text,
  total_minor_units bigint check (total_minor_units >= 0),
  -- Forgotten as soon as no step needs it any more.
  payment_token text,
  failure jsonb,
  -- What is left to give back, the next one first: 'void', 'release'.
  undo text[] not null default '{}',
  version bigint not null,
  attempts integer not null default 0,
  -- When whoever drives the order now has lost it, or when its next attempt is due. Null when it is settled.
  due_at timestamptz,
  traceparent text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  settled_at timestamptz,
  check ((settled_at is null) = (state not in ('completed', 'rejected', 'cancelled'))),
  check ((due_at is null) = (settled_at is not null))
);

create unique index orders_request on orders (tenant, request_id) where request_id is not null;
create index orders_newest on orders (tenant, created_at desc, id desc);
create index orders_due on orders (due_at) where due_at is not null;

-- One row for each version of an order: what watchers read on from. The transaction id orders them by commit, as far as
-- pg_snapshot_xmin tells; `seq` orders the rows of one transaction.
create table order_changes (
  xid xid8 not null default pg_current_xact_id(),
  seq bigint generated always as identity,
  tenant text not null,
  order_id uuid not null,
  version bigint not null,
  changed_at timestamptz not null,
  primary key (xid, seq)
);

create index order_changes_age on order_changes (changed_at);

-- The events of each order as they came back from Kafka.
create table order_timeline (
  order_id uuid not null,
  event_id text not null,
  type text not null,
  source text not null,
  event_time timestamptz not null,
  receive_time timestamptz not null,
  trace_id text not null,
  primary key (order_id, event_id)
);
