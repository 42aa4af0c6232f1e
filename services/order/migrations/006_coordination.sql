alter table orders add column coordination text not null default 'orchestrated'
  check (coordination in ('orchestrated', 'choreographed', 'two_phase_commit'));

-- Grows with each coordinator of a two-phase commit until it is decided: what one stores that was replaced counts for nothing.
alter table orders add column epoch bigint not null default 1;

-- Decisions to commit. That there is none means abort, so an abort costs no write.
create table transaction_decisions (
  order_id uuid primary key,
  epoch bigint not null,
  decided_at timestamptz not null
);

create index transaction_decisions_age on transaction_decisions using brin (decided_at);
