-- Where our books and the provider's differ: one open finding a payment, resolved when they agree again.
create table reconciliation_findings (
  id uuid primary key,
  tenant text not null,
  payment_id uuid,
  provider_reference text not null,
  kind text not null check (
    kind in ('MISSING_HERE', 'MISSING_THERE', 'AMOUNTS_DIFFER', 'STATES_DIFFER', 'LEDGER_DIFFERS')
  ),
  ours text not null,
  theirs text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  resolved_at timestamptz
);

create unique index reconciliation_findings_open
on reconciliation_findings (tenant, coalesce(payment_id::text, provider_reference))
where resolved_at is null;

create index reconciliation_findings_newest on reconciliation_findings (tenant, created_at desc, id desc);

-- How far the report is compared, and who is at it.
create table reconciliation_progress (
  id boolean primary key default true check (id),
  compared_to timestamptz,
  leased_until timestamptz not null
);

insert into reconciliation_progress (leased_until) values ('-infinity');

create index payments_age on payments using brin (created_at) with (autosummarize = on);
