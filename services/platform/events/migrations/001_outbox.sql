create table outbox (
  id uuid primary key,
  position bigint generated always as identity,
  slot smallint not null check (slot between 0 and 63),
  type text not null,
  aggregate_id text not null check (aggregate_id <> ''),
  tenant text not null,
  sequence bigint,
  occurred_at timestamptz not null,
  payload bytea not null,
  traceparent text,
  tracestate text,
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz
)
-- Every row is written twice and then deleted, so the defaults would let the
-- dead rows outgrow the live ones many times over.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

create index outbox_unpublished on outbox (position) include (slot) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;

-- Who publishes which slots. The epoch grows with each change of owner; a
-- paused former owner is refused by it.
create table relay_lease (
  first_slot smallint not null,
  last_slot smallint not null,
  owner text not null,
  epoch bigint not null,
  expires_at timestamptz not null,
  primary key (first_slot, last_slot),
  check (0 <= first_slot and first_slot <= last_slot and last_slot <= 63)
);
