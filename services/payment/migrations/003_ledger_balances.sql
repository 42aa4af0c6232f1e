-- What the accounts hold of the entries before `rolled_up_to`, so that a balance costs no more as the ledger grows. The
-- transaction id says which entries those are: all before the oldest transaction under way, which time does not tell.
alter table ledger_entries
add column xid bigint not null default pg_current_xact_id()::text::bigint;

create index ledger_entries_tail on ledger_entries using brin (xid) with (autosummarize = on, pages_per_range = 16);

create table ledger_balances (
  tenant text not null,
  account text not null,
  currency text not null,
  amount numeric not null,
  primary key (tenant, account, currency)
);

create table ledger_rollup (
  id boolean primary key default true check (id),
  -- Transaction ids count anew in another one (dump and restore, a logical failover).
  cluster text not null,
  rolled_up_to bigint not null
);

insert into ledger_rollup (cluster, rolled_up_to)
select system_identifier || '/' || timeline_id, 0
from pg_control_system(), pg_control_checkpoint();

-- One index for the check of a transaction and for a tenant's list: ids are in the order of time.
create index ledger_entries_newest on ledger_entries (tenant, transaction_id, id);

create or replace function refuse_unbalanced_ledger() returns trigger
language plpgsql
as $$
begin
  if exists (
    select
    from ledger_entries
    where tenant = new.tenant
      and transaction_id = new.transaction_id
    group by currency
    having sum(amount) <> 0
  ) then
    raise exception 'ledger transaction % does not sum to zero', new.transaction_id
      using errcode = 'check_violation';
  end if;
  return null;
end
$$;

drop index ledger_entries_transaction;
