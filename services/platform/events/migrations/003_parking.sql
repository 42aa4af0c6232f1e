-- A key of which an event waits in retry. Later events of the key are parked behind it, so that their order holds.
create table parked_key (
  consumer_group text not null,
  topic text not null,
  key text not null,
  -- The event that waits: the first of the key's parked events.
  event_id text not null,
  attempts integer not null,
  -- How many retry topics it has been through.
  round smallint not null,
  first_failure_at timestamptz,
  last_failure_at timestamptz,
  last_error text,
  due_at timestamptz not null,
  -- Null until a retry topic has it: whoever finds it so sends it.
  forwarded_at timestamptz,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (consumer_group, topic, key)
);

create index parked_key_due on parked_key (consumer_group, due_at);

-- The waiting event and those behind it, in order, as they came.
create table parked_event (
  position bigint generated always as identity primary key,
  consumer_group text not null,
  topic text not null,
  key text not null,
  event_id text not null,
  partition integer not null,
  record_offset bigint not null,
  record_key text,
  headers jsonb not null,
  value bytea not null,
  parked_at timestamptz not null default clock_timestamp(),
  unique (consumer_group, topic, key, event_id)
);

create index parked_event_next on parked_event (consumer_group, topic, key, position);
