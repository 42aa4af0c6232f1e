-- An event that a consumer group has taken into account. The row is written in
-- the transaction of the effect, so the second delivery finds it.
create table inbox (
  consumer_group text not null,
  event_id text not null,
  received_at timestamptz not null default clock_timestamp(),
  primary key (consumer_group, event_id)
);

create index inbox_received on inbox (received_at);
