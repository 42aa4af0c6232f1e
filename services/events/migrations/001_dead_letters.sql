-- What a consumer group gave up on. One row an event and group, however often it fails.
create table dead_letters (
  id uuid primary key,
  consumer_group text not null,
  topic text not null,
  partition integer not null,
  record_offset bigint not null,
  key text not null,
  event_id text not null,
  event_type text not null,
  tenant text not null,
  state text not null default 'pending' check (state in ('pending', 'redriving', 'redriven', 'discarded')),
  version bigint not null default 1,
  attempts integer not null,
  first_failure_at timestamptz not null,
  last_failure_at timestamptz not null,
  error text not null,
  error_reason text not null,
  -- The record's key and headers as JSON. Bytes, as jsonb takes no NUL and a header may hold one.
  record bytea not null,
  payload bytea not null,
  -- As it first failed, where it was edited since.
  original_payload bytea,
  redrive_count integer not null default 0,
  -- The last redrive: the group's next dead letter names it.
  redrive_id uuid,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (consumer_group, topic, partition, record_offset)
);

create index dead_letters_newest on dead_letters (last_failure_at desc, id desc);
create index dead_letters_pending on dead_letters (consumer_group, last_failure_at) where state = 'pending';
create index dead_letters_to_send on dead_letters (updated_at) where state = 'redriving';
create index dead_letters_settled on dead_letters (updated_at) where state in ('redriven', 'discarded');

-- What was decided, by whom. Written in the transaction of the decision, never changed.
create table audit_records (
  id uuid primary key,
  dead_letter uuid not null,
  action text not null check (action in ('redrive', 'redrive_edited', 'discard')),
  actor text not null,
  actor_tenant text not null,
  reason text not null,
  request_id uuid,
  payload_before bytea not null,
  payload_after bytea,
  at timestamptz not null
);

create index audit_records_newest on audit_records (at desc, id desc);
create index audit_records_of_letter on audit_records (dead_letter, at desc, id desc);

-- Requests that took effect, so that a repeated one does not again.
create table requests (
  id uuid primary key,
  hash bytea not null,
  answer jsonb,
  at timestamptz not null
);

create index requests_age on requests (at);
