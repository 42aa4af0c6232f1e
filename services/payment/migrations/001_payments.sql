create table payments (
  tenant text not null,
  id uuid not null,
  order_id text not null,
  -- Both null for the mark of a void that came before its authorize.
  currency text,
  amount bigint check (amount > 0),
  captured_amount bigint not null,
  refunded_amount bigint not null,
  state text not null check (
    state in ('AUTHORIZING', 'UNKNOWN', 'AUTHORIZED', 'DECLINED', 'CAPTURED', 'VOIDED', 'REFUNDED')
  ),
  decline_code text,
  provider_reference text,
  payment_token text,
  token_fingerprint text,
  pending text check (pending in ('capture', 'void', 'refund')),
  pending_amount bigint check (pending_amount > 0),
  pending_refund_id uuid,
  pending_since timestamptz,
  asked_at timestamptz not null,
  -- When the recovery sweep looks at it; null when nothing is open.
  check_at timestamptz,
  checks integer not null default 0,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, id),
  check ((currency is null) = (amount is null)),
  check (amount is not null or state = 'VOIDED'),
  check (captured_amount between 0 and coalesce(amount, 0)),
  check (refunded_amount between 0 and captured_amount),
  -- The token outlives the question whether money is held by no moment.
  check ((payment_token is not null) = (state in ('AUTHORIZING', 'UNKNOWN'))),
  check ((pending is null) = (pending_since is null)),
  check ((coalesce(pending, '') in ('capture', 'refund')) = (pending_amount is not null)),
  check ((coalesce(pending, '') = 'refund') = (pending_refund_id is not null))
);

create index payments_newest on payments (tenant, created_at desc, id desc);

create index payments_of_order on payments (tenant, order_id, created_at desc, id desc);

create index payments_to_check on payments (check_at) where check_at is not null;

create table refunds (
  tenant text not null,
  payment_id uuid not null,
  id uuid not null,
  amount bigint not null check (amount > 0),
  created_at timestamptz not null,
  primary key (tenant, payment_id, id),
  foreign key (tenant, payment_id) references payments (tenant, id)
);

create table ledger_entries (
  id bigint generated always as identity primary key,
  tenant text not null,
  transaction_id uuid not null,
  payment_id uuid not null,
  account text not null check (
    account in ('provider_holds', 'customer_holds', 'provider_cash', 'order_revenue', 'order_refunds')
  ),
  currency text not null,
  -- Minor units; debits are positive, credits negative.
  amount bigint not null check (amount <> 0),
  created_at timestamptz not null,
  foreign key (tenant, payment_id) references payments (tenant, id)
);

create index ledger_entries_transaction on ledger_entries (transaction_id);

create index ledger_entries_payment on ledger_entries (tenant, payment_id);

create function refuse_unbalanced_ledger() returns trigger
language plpgsql
as $$
begin
  if exists (
    select
    from ledger_entries
    where transaction_id = new.transaction_id
    group by tenant, currency
    having sum(amount) <> 0
  ) then
    raise exception 'ledger transaction % does not sum to zero', new.transaction_id
      using errcode = 'check_violation';
  end if;
  return null;
end
$$;

-- Deferred to the commit: the entries of one transaction may come one by one.
create constraint trigger ledger_entries_balanced
after insert on ledger_entries
deferrable initially deferred
for each row execute function refuse_unbalanced_ledger();

create function refuse_ledger_change() returns trigger
language plpgsql
as $$
begin
  raise exception 'ledger entries are corrected by new entries, never changed'
    using errcode = 'restrict_violation';
end
$$;

create trigger ledger_entries_immutable
before update or delete or truncate on ledger_entries
for each statement execute function refuse_ledger_change();
