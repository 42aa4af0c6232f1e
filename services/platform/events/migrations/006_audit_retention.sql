-- What is known of privileged calls is kept for 400 days (audit_log.ts): a year, as rules for auditors ask, and time to notice.
-- Until then no row goes, whoever asks.
drop trigger audit_log_append_only on audit_log;

create trigger audit_log_append_only
before update or truncate on audit_log
for each statement execute function refuse_audit_change();

create function refuse_young_audit_delete() returns trigger
language plpgsql as $$
begin
  if old.at > clock_timestamp() - interval '400 days' then
    raise exception 'audit_log takes no delete of what is younger than 400 days';
  end if;
  return old;
end
$$;

create trigger audit_log_keeps_young
before delete on audit_log
for each row execute function refuse_young_audit_delete();

create index audit_log_at on audit_log (at);
