-- What operators decided about orders. Written in the transaction of the decision, never changed.
create table order_audit_records (
  id uuid primary key,
  order_id uuid not null,
  tenant text not null,
  action text not null check (action in ('retry', 'force_resolve')),
  actor text not null,
  actor_tenant text not null,
  reason text not null,
  settled_by_hand text not null,
  state_before text not null,
  state_after text not null,
  attention jsonb,
  request_id uuid,
  at timestamptz not null
);

create index order_audit_records_newest on order_audit_records (at desc, id desc);
create index order_audit_records_of_order on order_audit_records (order_id, at desc, id desc);
