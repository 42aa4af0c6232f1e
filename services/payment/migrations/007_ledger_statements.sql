-- The postings of a ledger transaction come in one statement, so a statement's postings sum to zero and are looked at once,
-- without the table: checked row by row at the commit they were a tenth of all that an order cost this database.
drop trigger ledger_entries_balanced on ledger_entries;

create or replace function refuse_unbalanced_ledger() returns trigger
language plpgsql
as $$
declare
  unbalanced uuid;
begin
  select transaction_id into unbalanced
  from entered
  group by tenant, transaction_id, currency
  having sum(amount) <> 0
  limit 1;
  if unbalanced is not null then
    raise exception 'ledger transaction % does not sum to zero', unbalanced
      using errcode = 'check_violation';
  end if;
  return null;
end
$$;

create trigger ledger_entries_balanced
after insert on ledger_entries
referencing new table as entered
for each statement execute function refuse_unbalanced_ledger();

-- A payment is changed by the statement that enters its postings, and never deleted: looking for it again locked its row
-- once for each posting.
alter table ledger_entries drop constraint ledger_entries_tenant_payment_id_fkey;
