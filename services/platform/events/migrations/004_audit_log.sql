-- What is known of privileged calls for ever: a row before each, and one after it.
create table audit_log (
  id uuid primary key default uuidv7(),
  at timestamptz not null default clock_timestamp(),
  call_id uuid not null,
  phase text not null check (phase in ('asked', 'answered')),
  method text not null,
  peer text not null,
  tenant text not null,
  subject text not null,
  resource text not null,
  result text not null,
  trace_id text not null,
  request_id text not null
);

create index audit_log_call on audit_log (call_id);

-- The service owns its tables, so no grant could keep it from changing this one. Whoever drops the trigger is the schema's
-- owner and is seen in the database's own log.
create function refuse_audit_change() returns trigger
language plpgsql as $$
begin
  raise exception 'audit_log takes no %', lower(tg_op);
end
$$;

create trigger audit_log_append_only
before update or delete or truncate on audit_log
for each statement execute function refuse_audit_change();
