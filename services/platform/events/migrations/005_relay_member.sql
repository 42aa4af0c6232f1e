-- The processes that publish the outbox, so that each takes its share of the ranges.
create table relay_member (
  owner text primary key,
  expires_at timestamptz not null
);
